"""The newsletters, consent wordings and forms on offer, cached in the process so that a sign-up costs one statement."""

import math
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, TypeVar

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from newsletter import newsletters, registered_sites
from newsletter.consent.signups import slow_lane
from newsletter.consent.wordings import wordings
from newsletter.consent.wordings.forms import Form, FormKind
from newsletter.consent.wordings.shown_words import is_shown
from newsletter.consent.wordings.wordings import Wording
from newsletter.errors import NotFound
from newsletter.languages import tags
from newsletter.languages.translatable import translatable
from newsletter.newsletters import Newsletter
from newsletter.plain_text import shortened
from newsletter.store.database import Database
from newsletter.web.public.check_inbox.filled_page import FilledPage

MAX_AGE = 5.0  # seconds after which newsletters and wordings are read again
MIN_AGE = 1.0  # seconds between two reads, however many unknown names are requested
MAX_OLDER = 200  # wordings, and forms, kept in memory, of pages that were opened before a new wording was published

T = TypeVar("T")


class OfferedNames(NamedTuple):
    """What a request names: newsletters by their slugs, a wording and a form by their ids."""

    slugs: tuple[str, ...] = ()
    wording: int | None = None
    form: int | None = None


class PublishedForm(NamedTuple):
    """A wording, and the form that shows it."""

    wording: Wording
    form: Form


@dataclass(frozen=True)
class OfferedNewsletters:
    """Newsletters by slug, wordings and forms by id, as last read. The rows are detached: read them only."""

    newsletters: Mapping[str, Newsletter]
    current_wordings: Mapping[int, Wording]  # the newest of each newsletter, or several, and language that a form shows
    current_forms: Mapping[int, Form]  # the hosted ones of these wordings
    older_wordings: Mapping[int, Wording] = field(default_factory=dict)  # those that requests have named
    older_forms: Mapping[int, Form] = field(default_factory=dict)  # also pasted ones
    newest_ids: tuple[int, int] = (0, 0)  # of wordings and forms
    sites: Mapping[int, frozenset[str]] = field(default_factory=dict)  # registered origins, by newsletter
    is_under_attack: bool = False  # a limit of confirmation letters holds sign-ups up
    can_reach_utf8: bool = True  # whether a relay may take an address whose local part is outside ASCII
    # Rendered from these rows, by newsletters' ids, language and what else tells them apart.
    answers: dict[tuple[object, ...], FilledPage] = field(default_factory=dict)
    boxes: dict[tuple[tuple[int, ...], str], bytes] = field(default_factory=dict)  # their forms as JSON

    def newsletter(self, slug: str) -> Newsletter:
        """Return the newsletter with that slug. Raises NotFound."""
        if slug in self.newsletters:
            return self.newsletters[slug]
        raise NotFound(
            translatable(
                "There is no newsletter “%(slug)s” here.", slug=shortened(slug, newsletters.MAX_SLUG_CHARACTERS)
            )
        )

    @cached_property
    def slugs(self) -> Mapping[int, str]:
        """The slugs of the newsletters by their ids."""
        return {newsletter.id: slug for slug, newsletter in self.newsletters.items()}

    def chosen(self, names: OfferedNames) -> list[Newsletter]:
        """Return those of the newsletters that a request names which exist."""
        return [self.newsletters[slug] for slug in names.slugs if slug in self.newsletters]

    def languages(self, newsletter: Newsletter) -> list[str]:
        """Return the languages in which visitors may sign up, its main one first: those with published words.

        Words in a language that the newsletter does not offer are shown as long as there are no others.
        """
        published = self._of_one.get(newsletter.id, {})
        return [tag for tag in newsletter.languages if tag in published] or list(published)

    def current(self, newsletter: Newsletter, language: str) -> PublishedForm | None:
        """Return the form of one newsletter in the language that suits this one best; None if it takes no sign-ups."""
        tags_with_words = self.languages(newsletter)
        if not tags_with_words:
            return None
        return self._of_one[newsletter.id][tags.lookup([language], tags_with_words) or tags_with_words[0]]

    def several(self) -> dict[str, PublishedForm]:
        """Return the newest form of several newsletters in each language, if it still names whom they are all from."""
        together = [each for each in self._published if each.wording.newsletters]
        newest = {(each.wording.newsletter_id, each.wording.language): each.form.id for each in together}
        return self._by_language(each for each in together if each.form.id in newest.values())

    def of_exactly(self, newsletters: Collection[Newsletter]) -> dict[str, PublishedForm]:
        """Return the newest form of exactly these newsletters in each language, if it still names whom they are from.

        A form of others that is published later leaves it where it is: it may stand in pages of the publisher's.
        """
        ids = {newsletter.id for newsletter in newsletters}
        return self._by_language(
            each for each in self._published if each.wording.newsletters and set(each.form.newsletters) == ids
        )

    def _by_language(self, forms: Iterable[PublishedForm]) -> dict[str, PublishedForm]:
        by_id = {newsletter.id: newsletter for newsletter in self.newsletters.values()}
        return {
            each.wording.language: each
            for each in forms
            if is_shown(each.wording, [by_id[number] for number in each.form.newsletters])
        }

    @cached_property
    def _of_one(self) -> Mapping[int, Mapping[str, PublishedForm]]:
        """The newest form of each single newsletter, by its id and by language. Each sign-up asks for the languages."""
        found: dict[int, dict[str, PublishedForm]] = {}
        for each in self._published:
            if each.wording.newsletters is None:
                found.setdefault(each.wording.newsletter_id, {})[each.wording.language] = each
        return found

    @cached_property
    def _published(self) -> list[PublishedForm]:
        forms = sorted(self.current_forms.values(), key=lambda form: form.id)
        return [PublishedForm(self.current_wordings[form.wording_id], form) for form in forms]

    def wording(self, number: int | None) -> Wording | None:
        """Return the wording with that id, of any version; None if it is unknown."""
        return _either(self.current_wordings, self.older_wordings, number)

    def form(self, number: int | None) -> Form | None:
        """Return the form with that id, of any kind; None if it is unknown."""
        return _either(self.current_forms, self.older_forms, number)

    def hosted_form(self, wording: Wording) -> Form | None:
        """Return the hosted form of a wording; None if a release before published it, and kept none."""
        known = (*self.current_forms.values(), *self.older_forms.values())
        return next(
            (form for form in known if (form.wording_id, form.exhibit) == (wording.id, wording.form_exhibit)), None
        )

    def has(self, names: OfferedNames) -> bool:
        """Whether it contains all that a request names."""
        has_wording = names.wording is None or self.wording(names.wording) is not None
        has_form = names.form is None or self.form(names.form) is not None
        return has_wording and has_form and all(slug in self.newsletters for slug in names.slugs)

    def older_names(self, names: OfferedNames) -> OfferedNames:
        """Return which of the wording and the form that a request names are unknown and may exist."""
        newest_wording, newest_form = self.newest_ids
        wording, form = names.wording, names.form
        return OfferedNames(
            wording=wording
            if wording is not None and not self.wording(wording) and wording <= newest_wording
            else None,
            form=form if form is not None and not self.form(form) and form <= newest_form else None,
        )


class OfferedNewslettersCache:
    """Reads the offered newsletters again when they are older than MAX_AGE or lack a requested one."""

    def __init__(
        self,
        database: Database,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        can_reach_utf8: Callable[[Session], bool] = lambda _: True,
    ) -> None:
        self._database = database
        self._can_reach_utf8 = can_reach_utf8
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._offered = OfferedNewsletters({}, {}, {})
        self._wordings: dict[int, Wording] = {}
        self._forms: dict[int, Form] = {}
        self._read_at = -math.inf

    def fresh(self, names: OfferedNames = OfferedNames()) -> OfferedNewsletters | None:  # noqa: B008 - it is immutable
        """Return the offered newsletters if they are young enough and contain all names; None if `get` has to read."""
        offered, read_at = self._offered, self._read_at
        return offered if self._monotonic() - read_at < MAX_AGE and offered.has(names) else None

    def get(self, names: OfferedNames = OfferedNames()) -> OfferedNewsletters:  # noqa: B008 - it is immutable
        """Return the offered newsletters. Names that are not among them cause at most one read per MIN_AGE.

        An older wording or form is read when a request names it.
        """
        with self._lock:
            age = self._monotonic() - self._read_at
            if age >= MAX_AGE or (age >= MIN_AGE and self._lacks(names)):
                with self._database.reading() as session:
                    self._offered = self._read(session)
                self._read_at = self._monotonic()
            older = self._offered.older_names(names)
            if older != OfferedNames():
                self._add_older(older)
            return self._offered

    def latest(self, names: OfferedNames) -> OfferedNewsletters:
        """Return the offered newsletters as they are now, for an operator who has changed something a moment ago."""
        with self._lock:
            self._read_at = -math.inf
        return self.get(names)

    def newsletter(self, slug: str) -> Newsletter:
        """Return the newsletter with that slug, for reading only. Raises NotFound with a message for visitors."""
        return self.get(OfferedNames((slug,))).newsletter(slug)

    @property
    def last_read(self) -> OfferedNewsletters:
        """The offered newsletters as last read, however old; without a query."""
        return self._offered

    def known(self) -> Mapping[str, Newsletter]:
        """Return the newsletters by slug for a page that does without them while the database is away."""
        if not self.fresh():
            with suppress(SQLAlchemyError):
                self.get()
        return self._offered.newsletters

    def _lacks(self, names: OfferedNames) -> bool:
        return not self._offered.has(names) and self._offered.older_names(names) == OfferedNames()

    def _add_older(self, names: OfferedNames) -> None:
        with self._database.reading() as session:
            form = session.get(Form, names.form) if names.form is not None else None
            number = form.wording_id if form else names.wording
            wording = session.get(Wording, number) if number is not None else None
            kept = session.scalars(select(Form).where(Form.wording_id == wording.id)) if wording else ()
            for each in kept:
                _remember(self._forms, each.id, each)
        if wording:
            _remember(self._wordings, wording.id, wording)

    def _read(self, session: Session) -> OfferedNewsletters:
        offered = {newsletter.slug: newsletter for newsletter in newsletters.every(session)}
        series = Wording.newsletter_id, Wording.language, wordings.newsletters_as_text()
        newest = select(func.max(Form.id)).join(Wording).where(Form.kind == FormKind.HOSTED).group_by(*series)
        rows = session.execute(select(Form, Wording).join(Wording).where(Form.id.in_(newest))).all()
        ids = select(func.max(Wording.id), select(func.max(Form.id)).scalar_subquery())
        newest_wording, newest_form = session.execute(ids).one()
        return OfferedNewsletters(
            newsletters=offered,
            current_wordings={wording.id: wording for _, wording in rows},
            current_forms={form.id: form for form, _ in rows},
            older_wordings=self._wordings,
            older_forms=self._forms,
            newest_ids=(newest_wording or 0, newest_form or 0),
            is_under_attack=slow_lane.is_under_attack(session),
            sites=registered_sites.by_newsletter(session),
            can_reach_utf8=self._can_reach_utf8(session),
        )


def _either(current: Mapping[int, T], older: Mapping[int, T], number: int | None) -> T | None:
    if number is None:
        return None
    return current.get(number) or older.get(number)


def _remember(kept: dict[int, T], number: int, row: T) -> None:
    if len(kept) >= MAX_OLDER and number not in kept:
        del kept[next(iter(kept))]
    kept[number] = row
