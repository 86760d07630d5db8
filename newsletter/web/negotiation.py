"""Choose the language of a page that the link does not determine: the visitor's, among those that are offered.

`?language=de` in the URL wins, so that a page in another language can be linked to; then the browser's Accept-Language
decides, then the offer's own order. The choice never leaves what is offered (RFC 4647 section 3.4, lookup).
"""

from collections.abc import Iterable, Sequence

from starlette.requests import Request

from newsletter.languages import accept_language, catalogues, tags
from newsletter.newsletters import Newsletter

PARAMETER = "language"  # of the URL's query


def language_of(request: Request, offered: Sequence[str]) -> str:
    """Return the offered tag that suits the visitor best; the first one if none does, English if none is offered."""
    chosen, header = request.query_params.get(PARAMETER, ""), ",".join(request.headers.getlist("accept-language"))
    named = [chosen] if tags.TAG.fullmatch(chosen) else []
    wanted = [*named, *accept_language.wanted(header)]
    return tags.lookup(wanted, offered) or next(iter(offered), catalogues.DEFAULT)


def offered_in(newsletter: Newsletter) -> list[str]:
    """Return the tags of the languages that a newsletter offers, its main one first."""
    return _distinct([newsletter.language, *(newsletter.other_languages or ())])


def offered_in_any(newsletters: Iterable[Newsletter]) -> list[str]:
    """Return the tags of the languages of several newsletters, for a page about all of them."""
    return _distinct(tag for newsletter in newsletters for tag in offered_in(newsletter))


def _distinct(found: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(found))
