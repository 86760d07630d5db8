"""The titles of an issue: the subject of its letters, and the heading above its articles."""

from collections.abc import Sequence
from datetime import datetime

from newsletter import templating
from newsletter.content.issues.editions import Edition
from newsletter.content.parsing.texts.shortening import excerpt
from newsletter.languages.languages import ENGLISH, Language
from newsletter.languages.translatable import translatable, translatable_plural
from newsletter.newsletters import Newsletter

MAX_HEADLINE = 90  # characters


def headline(titles: Sequence[str], language: Language = ENGLISH) -> str:
    """Return a subject of at most 90 characters from the first title: "The bridge opens, and 11 more"."""
    if not titles:
        return language.text(translatable("Nothing new"))
    others = len(titles) - 1
    if not others:
        return excerpt(titles[0], MAX_HEADLINE)
    room = MAX_HEADLINE - len(_and_more("", others, language))
    return _and_more(excerpt(titles[0].rstrip("."), room), others, language)


def heading(edition: Edition, newsletter: Newsletter, run_at: datetime, language: Language) -> str:
    """Return the heading of an edition: its own, else the newsletter's name and the day, in the newsletter's zone."""
    if edition.heading:
        return edition.heading
    day = language.day(templating.local(run_at, newsletter.zone))
    return language.text(translatable("%(newsletter)s, %(day)s", newsletter=newsletter.name, day=day))


def _and_more(title: str, others: int, language: Language) -> str:
    more = translatable_plural("%(title)s, and %(n)s more", "%(title)s, and %(n)s more", others, title=title)
    return language.text(more)
