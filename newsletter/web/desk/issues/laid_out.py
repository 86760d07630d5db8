"""The letters of an issue as they would be sent, laid out once for each content and kept for a while.

Laying out takes a tenth of a second for each language. A page and its previews need the same letters.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from newsletter.content.issues.editions import Edition
from newsletter.content.issues.issues import Issue
from newsletter.errors import Refused
from newsletter.languages.languages import language
from newsletter.mail.mailings import issue_layout
from newsletter.newsletters import Newsletter
from newsletter.web.site import Site

MAX_KEPT = 16  # issues with all their letters, of at most about 200 kB each


@dataclass(frozen=True)
class ShownLetter:
    """The letter in one language, filled for an invented reader."""

    tag: str
    subject: str
    html: str
    text: str
    html_bytes: int
    headlines: int  # articles of which the HTML has only the headline


@dataclass(frozen=True)
class LaidOut:
    """The letters of an issue by language tag, the newsletter's own language first, and why they cannot be sent."""

    letters: Mapping[str, ShownLetter] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


class LetterCache:
    """The letters that were laid out last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Any, LaidOut] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Any) -> LaidOut | None:
        """Return what is kept under a key."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def keep(self, key: Any, value: LaidOut) -> None:
        """Keep letters in place of those that were used least recently."""
        with self._lock:
            self._kept[key] = value
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)


CACHE = LetterCache()


def of(session: Session, site: Site, issue: Issue, *, newsletter: Newsletter, edition: Edition, sha: str) -> LaidOut:
    """Return the letters of an issue whose content has this hash, in each language that its newsletter offers."""
    key = (issue.id, sha, edition.number, issue.planned_at, site.settings.base_url, _state(newsletter))
    known = CACHE.get(key)
    if known is None:
        known = _lay_out(session, site, issue, newsletter) if edition.articles else LaidOut()
        CACHE.keep(key, known)
    return known


def _lay_out(session: Session, site: Site, issue: Issue, newsletter: Newsletter) -> LaidOut:
    letters: dict[str, ShownLetter] = {}
    problems: list[str] = []
    for tag in dict.fromkeys(language(each).tag for each in newsletter.languages):
        try:
            shown = issue_layout.example(session, issue, tag, templates=site.templates, base_url=site.settings.base_url)
        except Refused as error:
            problems.append(str(error))
            continue
        letters[tag] = ShownLetter(
            tag,
            shown.subject,
            shown.html.get_content(),
            shown.text.get_content(),
            shown.html_bytes,
            shown.headlines,
        )
        if problem := issue_layout.length_problem(shown, tag):
            problems.append(problem)
    return LaidOut(letters, tuple(problems))


def _state(newsletter: Newsletter) -> str:
    """Return all columns of a newsletter, which are in its letters in one place or another."""
    return repr([getattr(newsletter, column.key) for column in inspect(Newsletter).column_attrs])
