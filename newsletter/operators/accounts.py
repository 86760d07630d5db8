"""What operators change about themselves: name, time zone and second factor."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from newsletter import audit_log, zones
from newsletter.errors import Malformed, Refused
from newsletter.keys import Keyring
from newsletter.operators import operators, recovery_codes, totp
from newsletter.operators.operators import Operator

WRONG_CODE = "This code is wrong. Enter the one that your app shows now, and check the time that your phone shows."
ALREADY_ON = "The second factor is on already."


def describe(session: Session, operator: Operator, *, name: str, zone: str, actor: str, now: datetime) -> None:
    """Set name and time zone; an empty zone is the usual one. Raises Malformed."""
    name, zone = operators.checked_name(name), zone.strip()
    if zone:
        zones.check(zone)
    values = {"name": name, "zone": zone or None}
    changed = [field for field, value in values.items() if getattr(operator, field) != value]
    operator.name, operator.zone = name, zone or None
    if changed:
        session.flush()
        _record(session, operator, "operator's account changed", actor=actor, now=now, changed=changed)


def confirm_second_factor(
    session: Session, operator: Operator, code: str, keyring: Keyring, *, actor: str, now: datetime
) -> list[str]:
    """Ask for codes of the app from now on; return the recovery codes, which nobody can read again.

    Raises Malformed if the code shows that app and service do not agree.
    """
    if operator.totp_confirmed_at is not None:
        raise Refused(ALREADY_ON)
    if not totp.take(session, operator, code, keyring, now=now):
        raise Malformed("code", WRONG_CODE)
    operator.totp_confirmed_at = now
    _record(session, operator, "second factor turned on", actor=actor, now=now)
    return recovery_codes.renew(session, operator.id)


def renew_recovery_codes(session: Session, operator: Operator, *, actor: str, now: datetime) -> list[str]:
    """Replace the recovery codes; return the new ones."""
    _record(session, operator, "recovery codes renewed", actor=actor, now=now)
    return recovery_codes.renew(session, operator.id)


def drop_second_factor(session: Session, operator: Operator, *, actor: str, now: datetime) -> None:
    """Ask for no code any more. Nothing happens if none was asked for."""
    was_on = operator.totp_confirmed_at is not None
    operator.totp_secret = operator.totp_confirmed_at = operator.totp_last_step = None
    recovery_codes.delete_all(session, operator.id)
    if was_on:
        _record(session, operator, "second factor turned off", actor=actor, now=now)


def _record(session: Session, operator: Operator, verb: str, *, actor: str, now: datetime, **fields: Any) -> None:
    audit_log.record(
        session, actor=actor, verb=verb, subject=f"operator:{operator.id}", newsletter_id=None, now=now, **fields
    )
