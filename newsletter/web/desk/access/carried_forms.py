"""A form that was sent after its session had ended: kept over the sign-in, for the same operator only.

The fields stand in the sign-in page itself, signed with the operator, the path and a time. A form with a password is
never carried.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from fastapi import Request

from newsletter.keys import Keyring
from newsletter.web.desk.access import signed_values
from newsletter.web.desk.frame.forms import holds_secret, pairs
from newsletter.web.form_data import FormData
from newsletter.web.guards import FORM_BODY_BYTES

PURPOSE = "carried form"  # of the MACs
LIFETIME = timedelta(hours=2)  # for the sign-in
MAX_CHARACTERS = FORM_BODY_BYTES * 4 // 3  # of a carried form
BODY_LIMIT = 2 * FORM_BODY_BYTES  # of a form that carries another one


class CarriedForm(NamedTuple):
    """A form of one operator."""

    operator_id: int
    path: str
    fields: list[tuple[str, str]]


def carry(keyring: Keyring, request: Request, form: FormData, *, operator_id: int, now: datetime) -> str:
    """Return the form of a request as text for a hidden field; "" if it is too long or holds a password."""
    if not operator_id or any(map(holds_secret, form)):
        return ""
    values = operator_id, request.url.path, pairs(form)
    carried = signed_values.write(keyring, PURPOSE, values, expires_at=now + LIFETIME)
    return carried if len(carried) <= MAX_CHARACTERS else ""


def read(keyring: Keyring, carried: str, *, now: datetime) -> CarriedForm | None:
    """Return the form, or None if it is none of ours or too old."""
    values = signed_values.read(keyring, PURPOSE, carried, now=now)
    if values is None:
        return None
    operator_id, path, fields = values
    return CarriedForm(operator_id, path, [(name, value) for name, value in fields])
