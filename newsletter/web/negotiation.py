"""Choose the language of a page that the link does not determine: the visitor's, among those that are offered.

`?language=de` in the URL wins, so that a page in another language can be linked to; then the browser's Accept-Language
decides, then the offer's own order. The choice never leaves what is offered (RFC 4647 section 3.4, lookup).
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Request

from newsletter.languages import accept_language, catalogues, tags
from newsletter.languages.languages import own_name
from newsletter.newsletters import Newsletter

PARAMETER = "language"  # of the URL's query


class LanguageLink(NamedTuple):
    """A link to the same page in another language."""

    tag: str
    name: str  # in that language
    url: str
    is_current: bool


def wanted_languages(request: Request) -> list[str]:
    """Return the tags that the visitor wants, the most wanted first."""
    chosen, header = request.query_params.get(PARAMETER, ""), ",".join(request.headers.getlist("accept-language"))
    named = [chosen] if tags.TAG.fullmatch(chosen) else []
    return [*named, *accept_language.wanted(header)]


WantedLanguages = Annotated[list[str], Depends(wanted_languages)]


def best(wanted: Sequence[str], offered: Sequence[str]) -> str:
    """Return the offered tag that suits best; the first one if none does, English if none is offered."""
    return tags.lookup(wanted, offered) or next(iter(offered), catalogues.DEFAULT)


def language_of(request: Request, offered: Sequence[str]) -> str:
    """Return the offered tag that suits the visitor best, as `best` does."""
    return best(wanted_languages(request), offered)


def offered_in_any(newsletters: Iterable[Newsletter]) -> list[str]:
    """Return the tags of the languages of several newsletters, for a page about all of them."""
    return list(dict.fromkeys(tag for newsletter in newsletters for tag in newsletter.languages))


def in_language(address: str, tag: str) -> str:
    """Return the address of a page, absolute or not, with the language that it then has for every visitor."""
    return f"{address}{'&' if '?' in address else '?'}{PARAMETER}={tag}"


def links(address: str, offered: Sequence[str], current: str) -> list[LanguageLink]:
    """Return the links to a page in each offered language, for `Site.page(languages=)`; none if there is no choice."""
    if len(offered) < 2:
        return []
    return [LanguageLink(tag, own_name(tag), in_language(address, tag), tag == current) for tag in offered]


def kept(request: Request, tag: str) -> str:
    """Return what links to other pages end with, so that a visitor who chose the language of this page keeps it."""
    return in_language("", tag) if PARAMETER in request.query_params else ""


def choices(request: Request, address: str, offered: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of `Site.page` for a page that is there in these languages: the best one, and the others."""
    tag = language_of(request, offered)
    others = {"languages": links(address, offered, tag), "query": kept(request, tag)}
    return {"tag": tag, "negotiated": len(offered) > 1, **others}
