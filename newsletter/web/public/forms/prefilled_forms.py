"""Fill a sign-up form from the link that led to it: `?email=name@example.org`, as publishers' own pages make them."""

from fastapi import Request

from newsletter import addresses
from newsletter.consent.wordings.rendered_forms import NOTHING, Entered
from newsletter.web import guards

PARAMETER = "email"  # of the URL's query


def entered(request: Request) -> Entered:
    """Return what the link enters. If it is anything, the page is somebody's: no cache and no search engine keeps it.

    The address is only shown, in a field that the visitor can change. What cannot be one is not shown.
    """
    email = addresses.plain(request.query_params.get(PARAMETER, ""))
    if PARAMETER in request.query_params:
        guards.keep_private(request)
    is_shown = len(email) <= addresses.MAX_CHARACTERS and email.isprintable()
    return Entered(email=email) if email and is_shown else NOTHING
