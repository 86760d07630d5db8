"""Pages of the publisher's own that visitors are led to after signing up, and readers after confirming.

Only what the newsletters name counts: no field, parameter or header of a request says where it leads. The address tells
nothing about the visitor, and it is the same for everybody.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from fastapi import Request
from fastapi.responses import RedirectResponse
from starlette.types import Scope

from newsletter import origins

ALLOWED = "newsletter.thank_you_pages"  # in the scope of a request


class NamesPages(Protocol):
    """What names the pages: a newsletter."""

    @property
    def signup_thanks_url(self) -> str | None:
        """The page after signing up; None: our own."""
        ...

    @property
    def confirmed_thanks_url(self) -> str | None:
        """The page after confirming; None: our own."""
        ...


def after_signup(chosen: Sequence[NamesPages]) -> str | None:
    """Return the page that all these newsletters name; None if they do not name the same one."""
    return _common(each.signup_thanks_url for each in chosen)


def after_confirming(confirmed: Sequence[NamesPages]) -> str | None:
    """Return the page that all these newsletters name; None if they do not name the same one."""
    return _common(each.confirmed_thanks_url for each in confirmed)


def lead_to(url: str) -> RedirectResponse:
    """Lead the browser to a page: with GET, and without what it has posted (RFC 9110 section 15.4.4)."""
    return RedirectResponse(url, 303)


def origins_of(newsletters: Iterable[NamesPages]) -> frozenset[str]:
    """Return the origins of all pages that newsletters name, for `guards.policy(posts_lead_to=)`."""
    named = (page for each in newsletters for page in (each.signup_thanks_url, each.confirmed_thanks_url) if page)
    return frozenset(str(found) for found in map(origins.parse, named) if found)


def allow(request: Request, newsletters: Iterable[NamesPages]) -> None:
    """Let the forms on the page that answers this request lead to the pages of these newsletters."""
    request.scope[ALLOWED] = origins_of(newsletters)


def allowed(scope: Scope) -> frozenset[str]:
    """Return the origins that `allow` has named for the answer to a request; Guards adds them to its policy."""
    found: frozenset[str] = scope.get(ALLOWED, frozenset())
    return found


def _common(urls: Iterable[str | None]) -> str | None:
    named = set(urls)
    return named.pop() if len(named) == 1 else None
