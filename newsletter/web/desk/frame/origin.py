"""The cookies of the desk.

The desk stands under /desk on the site's origin, or on an origin of its own (NEWSLETTER_DESK_URL). It needs an origin
that is the publisher's alone, for pages beside it could act in an operator's name, and HTTPS, for its cookies.
"""

from fastapi import Request, Response

from newsletter.web.site import Site

SESSION, VISIT, DEVICE = "desk", "desk-visit", "desk-device"
PROVIDER_WAY = "desk-provider"
VISIT_SECONDS = 30 * 86400  # longer than a session, so that a form outlives its session


def cookie_name(site: Site, name: str) -> str:
    """Return a cookie's full name.

    With the prefix, only this origin itself can set the cookie, over HTTPS (RFC 6265bis section 4.1.3.2). On a
    developer's own machine there is no HTTPS, and Safari keeps no Secure cookie then.
    """
    return f"__Host-{name}" if site.settings.desk_origin.startswith("https://") else name


def read_cookie(request: Request, site: Site, name: str) -> str:
    """Return the value of a cookie of the desk, "" without it."""
    return request.cookies.get(cookie_name(site, name), "")


def set_cookie(response: Response, site: Site, name: str, value: str, *, seconds: int | None = None) -> None:
    """Set a cookie of the desk; without `seconds` it ends with the browser's session, and "" deletes it."""
    full = cookie_name(site, name)
    response.set_cookie(
        full,
        value,
        max_age=0 if not value else seconds,
        path="/",
        secure=full.startswith("__Host-"),
        httponly=True,
        samesite="lax",
    )
