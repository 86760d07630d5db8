"""A form that was sent after its session had ended: kept over the sign-in, for the same operator only.

The fields stand in the sign-in page itself, with a MAC over them, the operator, the path and a time. A form with a
password is never carried.
"""

import hmac
import json
from datetime import datetime, timedelta
from typing import NamedTuple

from fastapi import Request

from newsletter.keys import Keyring, from_base64url, to_base64url
from newsletter.web.desk.frame.forms import holds_secret, pairs
from newsletter.web.form_data import FormData
from newsletter.web.guards import FORM_BODY_BYTES

PURPOSE = "carried form"  # of the MACs
MAC_BYTES = 16
LIFETIME = timedelta(hours=2)  # for the sign-in
MAX_BYTES = FORM_BODY_BYTES  # of the fields
BODY_LIMIT = 2 * MAX_BYTES  # of a form that carries another one


class CarriedForm(NamedTuple):
    """A form of one operator."""

    operator_id: int
    path: str
    fields: list[tuple[str, str]]


def carry(keyring: Keyring, request: Request, form: FormData, *, operator_id: int, now: datetime) -> str:
    """Return the form of a request as text for a hidden field; "" if it is too long or holds a password."""
    if not operator_id or any(map(holds_secret, form)):
        return ""
    expires = int((now + LIFETIME).timestamp())
    content = json.dumps([operator_id, expires, request.url.path, pairs(form)]).encode()
    if len(content) > MAX_BYTES:
        return ""
    return f"{keyring.newest}.{to_base64url(content)}.{_mac(keyring, keyring.newest, content)}"


def read(keyring: Keyring, carried: str, *, now: datetime) -> CarriedForm | None:
    """Return the form, or None if it is none of ours or too old."""
    try:
        key, encoded, given = carried.split(".")
        content = from_base64url(encoded)
    except ValueError:
        return None
    if key not in keyring or not hmac.compare_digest(_mac(keyring, key, content).encode(), given.encode()):
        return None
    operator_id, expires, path, fields = json.loads(content)
    if now.timestamp() >= expires:
        return None
    return CarriedForm(operator_id, path, [(name, value) for name, value in fields])


def _mac(keyring: Keyring, key: str, content: bytes) -> str:
    return to_base64url(keyring.mac(PURPOSE, content, key=key)[:MAC_BYTES])
