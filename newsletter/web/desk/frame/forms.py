"""The forms of the desk: every POST carries a token that only our own page could have written.

A token is a MAC of the cookie of the session, or before signing in of the cookie of the visit. A browser also says
from where a form was sent: a foreign Origin is refused whatever the token, and `null` or none needs the token as well.
"""

import hmac
import secrets
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from markupsafe import Markup

from newsletter.keys import to_base64url
from newsletter.web.desk.frame import origin
from newsletter.web.desk.frame.refusals import ForeignForm
from newsletter.web.form_data import FormData, parse_body
from newsletter.web.site import CurrentSite, Site

FIELD = "form_token"
PURPOSE = "desk form"  # of the MACs
TOKEN_BYTES = 16
VISIT_BYTES = 16


def token(site: Site, cookie: str) -> str:
    """Return the token for forms on a page that is sent to the browser with this cookie."""
    return to_base64url(site.keyring.mac(PURPOSE, cookie.encode())[:TOKEN_BYTES])


def hidden_field(site: Site, cookie: str) -> Markup:
    """Return the field that every form of a page holds."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, token(site, cookie))


def new_visit() -> str:
    """Return a value for the cookie of a visit."""
    return secrets.token_urlsafe(VISIT_BYTES)


async def posted_form(request: Request, site: CurrentSite) -> FormData:
    """Return the fields of a form of this desk. Raises ForeignForm for any other."""
    if not _is_own_origin(request, site):
        raise ForeignForm
    form = await parse_body(request)
    given = form.get(FIELD, ("",))[0].encode()
    cookies = [origin.read_cookie(request, site, name) for name in (origin.SESSION, origin.VISIT)]
    if not any(cookie and hmac.compare_digest(token(site, cookie).encode(), given) for cookie in cookies):
        raise ForeignForm
    return {name: values for name, values in form.items() if name != FIELD}


PostedForm = Annotated[FormData, Depends(posted_form)]


def text(form: FormData, name: str) -> str:
    """Return the first value of a field without blanks around it, "" without the field."""
    return form.get(name, ("",))[0].strip()


def _is_own_origin(request: Request, site: Site) -> bool:
    sent = request.headers.get("origin", "")
    if sent in ("", "null"):
        return True  # the token decides
    return sent == site.settings.desk_origin or urlsplit(sent).netloc == request.headers.get("host", "")
