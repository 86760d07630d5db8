"""Pages that are meant to be found: what search engines, previews on other sites and feed readers learn about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from babel.core import get_global

from newsletter.content.issues.editions import Image
from newsletter.content.parsing.texts.shortening import excerpt
from newsletter.web.negotiation import in_language

MAX_DESCRIPTION = 200  # characters; search engines show fewer


class Alternate(NamedTuple):
    """The same page in another language."""

    tag: str
    url: str


class FeedLink(NamedTuple):
    """A feed of the page's issues."""

    type: str
    url: str
    title: str


@dataclass(frozen=True, kw_only=True)
class PageDescription:
    """What a page's head says. URLs are absolute; the first alternate is the page for every other language."""

    url: str  # the page's own, whatever address led to it
    description: str
    locale: str | None  # as Open Graph writes it: de_DE
    kind: str = "website"  # in Open Graph
    image: Image | None = None
    alternates: Sequence[Alternate] = ()
    feeds: Sequence[FeedLink] = ()


def describe(
    address: str,
    *,
    tag: str,
    languages: Sequence[str],
    description: str,
    kind: str = "website",
    image: Image | None = None,
    feeds: Sequence[FeedLink] = (),
) -> PageDescription:
    """Return what the head says about the page at an absolute address, shown in `tag`, one of its languages.

    Without ?language= the address shows the first language, which therefore has no other one.
    """
    alternates = [Alternate(each, canonical(address, each, languages)) for each in languages]
    return PageDescription(
        url=canonical(address, tag, languages),
        description=excerpt(" ".join(description.split()), MAX_DESCRIPTION),
        locale=_locale(tag),
        kind=kind,
        image=image,
        alternates=alternates if len(alternates) > 1 else (),
        feeds=feeds,
    )


def canonical(address: str, tag: str, languages: Sequence[str]) -> str:
    """Return the one address of a page in a language that counts; in the first one it needs no ?language=."""
    return address if tag == languages[0] else in_language(address, tag)


def _locale(tag: str) -> str | None:
    """Return a language and its territory, the most likely one if the tag has none (CLDR), as Open Graph wants them."""
    parts = tag.split("-")
    likely = str(get_global("likely_subtags").get(parts[0].lower(), "")).split("_")
    territory = next((part for part in [*parts[1:], *likely[1:]] if len(part) == 2), None)
    return f"{parts[0].lower()}_{territory.upper()}" if territory else None
