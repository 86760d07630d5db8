"""Sign-ups that correct a mistyped address: each names the one before, which the worker then voids.

A name is signed, so only the visitor who posted a sign-up can replace it. A sign-up that its owner has confirmed is
never voided. One with the same address voids nothing: that visitor asks for another letter.
"""

import hmac
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from newsletter.consent.signups.signups import MAX_REPLACES_CHARACTERS, Signup, SignupState
from newsletter.keys import Keyring, from_base64url, to_base64url

PURPOSE = "replaces"  # of the MACs
MAC_BYTES, NONCE_BYTES = 16, 8

SENT_TWICE_WITHIN = timedelta(minutes=1)  # the same form from the same browser, such as by a double click
MAX_COPIES = 500  # sign-ups of the same addresses and minutes that are looked through, however many were posted
MAX_STEPS = 10  # from a sign-up to the one before it; an inbox gets three letters a day

OPEN_STATES = (SignupState.RECEIVED, SignupState.ASKED, SignupState.QUIET)  # of sign-ups that can be voided


class Former(NamedTuple):
    """The sign-up that another one names: its `Address.key` and its nonce."""

    address_key: str
    nonce: int


class OpenSignup(NamedTuple):
    """A sign-up that may be voided."""

    id: int
    address_key: str
    nonce: int
    state: SignupState
    received_at: datetime
    evidence: dict[str, Any]
    replaces: str | None


def name(keyring: Keyring, former: Former) -> str:
    """Return the name of a sign-up, for the form that may replace it; "" if it would be too long to store."""
    payload = former.nonce.to_bytes(NONCE_BYTES) + former.address_key.encode()
    signed = payload + keyring.mac(PURPOSE, payload)[:MAC_BYTES]
    written = f"{keyring.newest}.{to_base64url(signed)}"
    return written if len(written) <= MAX_REPLACES_CHARACTERS else ""


def read(keyring: Keyring, written: str | None) -> Former | None:
    """Return the sign-up that is named; None if the name is missing, forged, cut off or made with a lost key."""
    key, _, encoded = (written or "").partition(".")
    if not encoded or key not in keyring or len(written or "") > MAX_REPLACES_CHARACTERS:
        return None
    try:
        signed = from_base64url(encoded)
    except ValueError:
        return None
    payload, mac = signed[:-MAC_BYTES], signed[-MAC_BYTES:]
    if not hmac.compare_digest(mac, keyring.mac(PURPOSE, payload, key=key)[:MAC_BYTES]):
        return None
    return Former(payload[NONCE_BYTES:].decode(), int.from_bytes(payload[:NONCE_BYTES]))


def void_replaced(
    session: Session, keyring: Keyring, signups: Sequence[Row[Any]], *, now: datetime
) -> Sequence[Row[Any]]:
    """Void what these locked sign-ups replace, and return those of them that still ask for something.

    A voided sign-up confirms nothing any more, and its letter is withheld if it has not left. The row stays for as long
    as that of any unconfirmed sign-up, because the owner of the mistyped inbox may want "never write to me". If no
    letter was owed yet, nobody has a link, and the row is deleted at once.

    The order of the sign-ups does not matter, and repeating it is harmless.
    """
    named = {each.id: read(keyring, each.replaces) for each in signups if each.replaces}
    keys = {each.id: each.address_key for each in signups}
    corrected = {former for number, former in named.items() if former and former.address_key != keys[number]}
    if not corrected:
        return signups
    voided = _reached(session, keyring, corrected)
    unasked = {each.id for each in voided if each.state is not SignupState.ASKED}
    if unasked:
        session.execute(delete(Signup).where(Signup.id.in_(unasked)), execution_options=_NO_OBJECTS)
    if asked := [each.id for each in voided if each.id not in unasked]:
        void = update(Signup).where(Signup.id.in_(asked))
        session.execute(void.values(state=SignupState.REFUSED, replaced_at=now), execution_options=_NO_OBJECTS)
    # The name holds somebody else's address, which must not stay for as long as this sign-up does.
    done = [number for number, former in named.items() if former in corrected]
    session.execute(update(Signup).where(Signup.id.in_(done)).values(replaces=None), execution_options=_NO_OBJECTS)
    return [each for each in signups if each.id not in unasked]


_NO_OBJECTS = {"synchronize_session": False}  # the session holds none of the rows


def _reached(session: Session, keyring: Keyring, corrected: Collection[Former]) -> list[OpenSignup]:
    """Lock and return the open sign-ups that are named, with copies of them and with those that they name in turn.

    A visitor who pressed twice, or asked for another letter, sees one page, which names the last of their sign-ups.
    """
    reached: dict[int, OpenSignup] = {}
    seen, next_ones = set[Former](), set(corrected)
    for _ in range(MAX_STEPS):
        if not next_ones:
            break
        seen |= next_ones
        found = _named(session, next_ones)
        found += _copies(session, found)
        reached |= {each.id: each for each in found}
        next_ones = {former for each in found if (former := read(keyring, each.replaces))} - seen
    return list(reached.values())


def _named(session: Session, formers: Collection[Former]) -> list[OpenSignup]:
    are_named = or_(*(and_(Signup.address_key == each.address_key, Signup.nonce == each.nonce) for each in formers))
    return _locked(session, are_named)


def _copies(session: Session, of: Sequence[OpenSignup]) -> list[OpenSignup]:
    """Lock and return the sign-ups that were posted by the same forms, sent twice."""
    if not of:
        return []
    first, last = min(each.received_at for each in of), max(each.received_at for each in of)
    near = Signup.received_at.between(first - SENT_TWICE_WITHIN, last + SENT_TWICE_WITHIN)
    candidates = _locked(session, and_(Signup.address_key.in_({each.address_key for each in of}), near))
    return [each for each in candidates if any(_is_copy(each, one) for one in of)]


def _locked(session: Session, condition: ColumnElement[bool]) -> list[OpenSignup]:
    columns = [getattr(Signup, column) for column in OpenSignup._fields]
    rows = select(*columns).where(Signup.state.in_(OPEN_STATES), condition).order_by(Signup.id).limit(MAX_COPIES)
    return [OpenSignup._make(row) for row in session.execute(rows.with_for_update())]


def _is_copy(one: OpenSignup, other: OpenSignup) -> bool:
    is_near = abs(one.received_at - other.received_at) <= SENT_TWICE_WITHIN
    return is_near and (one.address_key, one.evidence, one.replaces) == (
        other.address_key, other.evidence, other.replaces,
    )  # fmt: skip
