"""The forms of the desk: every POST carries a token that only our own page could have written.

A token names the operator whom the page was shown to (0: nobody), with a MAC over this and the cookie of the visit,
which outlives sessions: a form that was opened before its session ended is still known to be ours, and whose. A browser
also says from where a form was sent: a foreign Origin is refused whatever the token, and `null` or none needs the token
as well.
"""

import hmac
import secrets
from typing import Annotated

from fastapi import Depends, Request
from markupsafe import Markup

from newsletter.keys import to_base64url
from newsletter.web import whole_numbers
from newsletter.web.desk.frame import origin
from newsletter.web.desk.frame.refusals import ForeignForm
from newsletter.web.form_data import FormData, first_value, parse_body
from newsletter.web.site import CurrentSite, Site

FIELD = "form_token"
NO_COOKIE = (
    "Your browser sent no cookie of this desk, so nothing was changed. Allow cookies for this address, open the page "
    "again and repeat it."
)
PURPOSE = "desk form"  # of the MACs
TOKEN_BYTES = 16
VISIT_BYTES = 16
SECRET_WORDS = ("password", "code")  # in the names of fields


def token(site: Site, visit: str, operator_id: int) -> str:
    """Return the token for forms on a page that an operator sees in the browser with this cookie."""
    mac = site.keyring.mac(PURPOSE, f"{operator_id}.{visit}".encode())
    return f"{operator_id}.{to_base64url(mac[:TOKEN_BYTES])}"


def hidden_field(site: Site, visit: str, operator_id: int) -> Markup:
    """Return the field that every form of a page holds."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, token(site, visit, operator_id))


def new_visit() -> str:
    """Return a value for the cookie of a visit."""
    return secrets.token_urlsafe(VISIT_BYTES)


async def posted_form(request: Request, site: CurrentSite) -> FormData:
    """Return the fields of a form of this desk. Raises ForeignForm for any other."""
    if not _is_own_origin(request, site):
        raise ForeignForm
    form = await parse_body(request)
    if not origin.read_cookie(request, site, origin.VISIT):
        raise ForeignForm(NO_COOKIE)
    visit, given = origin.read_cookie(request, site, origin.VISIT), first_value(form, FIELD)
    operator_id = whole_numbers.parse(given.partition(".")[0]) or 0
    if not hmac.compare_digest(token(site, visit, operator_id).encode(), given.encode()):
        raise ForeignForm
    request.state.form_of = operator_id
    request.state.own_form = own = {name: values for name, values in form.items() if name != FIELD}
    return own


PostedForm = Annotated[FormData, Depends(posted_form)]


def holds_secret(name: str) -> bool:
    """Whether a field may hold a password or a code, so that no page repeats its value."""
    return any(word in name.lower() for word in SECRET_WORDS)


def pairs(form: FormData) -> list[tuple[str, str]]:
    """Return all values with the names of their fields."""
    return [(name, value) for name, values in form.items() for value in values]


def text(form: FormData, name: str) -> str:
    """Return the first value of a field without blanks around it, "" without the field."""
    return first_value(form, name).strip()


def _is_own_origin(request: Request, site: Site) -> bool:
    sent = request.headers.get("origin", "")
    if sent in ("", "null"):
        return True  # the token decides
    return sent == site.settings.desk_origin or sent.partition("://")[2] == request.headers.get("host", "")
