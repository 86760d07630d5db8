"""The proof of work (ALTCHA): challenges that cost a visitor's device a second, and the check of their solutions.

A challenge asks for a number: its key, derived with PBKDF2, begins as the challenge says. We draw the number, so the
work has a known bound, and sign the challenge and the derived key, so the check needs no derivation. Nothing is stored
until a solution is used.
"""

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from altcha import Challenge, Payload, create_challenge, verify_solution

from newsletter.keys import Keyring

FIELD = "altcha"  # the widget's own name of the field that holds the solution
MAX_SOLUTION_CHARACTERS = 2000  # one of ours has about 800
SHAPE = re.compile(rf"[A-Za-z0-9+/]{{1,{MAX_SOLUTION_CHARACTERS - 2}}}={{0,2}}")  # Base64
ALGORITHM = "PBKDF2/SHA-256"
COST = 1_000  # PBKDF2 iterations for each number that is tried
# The number lies between these; a device tries them in order. A phone tries about a thousand in a second.
LEAST_TRIES, MOST_TRIES = 1_000, 3_000
LIFETIME = timedelta(hours=1)
PURPOSE, KEY_PURPOSE = "proof of work", "proof of work: derived key"
UNTIL = "until"  # the name in a challenge's data: Unix seconds


class Proof(NamedTuple):
    """A correct solution, which counts once."""

    key: str  # the challenge's signature: another solution of the same challenge is the same proof
    expires_at: datetime


def challenge(keyring: Keyring, *, now: datetime, number: int | None = None) -> Challenge:
    """Return a new challenge, which expires after LIFETIME. It takes as long as one of a visitor's tries.

    `number` is what a device has to find; None: it is drawn.

    Its expiry is in its data, because the library would compare its own field with the time of the check. What counts
    is when the form was posted: a sign-up may wait for a worker.
    """
    key = keyring.newest
    if number is None:
        number = LEAST_TRIES + secrets.randbelow(MOST_TRIES - LEAST_TRIES)
    return create_challenge(
        ALGORITHM,
        COST,
        counter=number,
        data={UNTIL: int((now + LIFETIME).timestamp())},
        hmac_secret=_secret(keyring, PURPOSE, key),
        hmac_key_secret=_secret(keyring, KEY_PURPOSE, key),
    )


def check(keyring: Keyring, solution: str, *, posted_at: datetime) -> Proof | None:
    """Return what a solution proves; None if it is malformed, forged or wrong, or had expired when it was posted.

    It takes microseconds, so a flood of wrong solutions costs a worker little.
    """
    payload = _parse(solution)
    if payload is None or not any(_is_correct(keyring, payload, key) for key in keyring):
        return None
    # Only now is the challenge known to be ours, so its data has the shape that we gave it.
    data, signature = payload.challenge.parameters.data or {}, payload.challenge.signature or ""
    expires_at = datetime.fromtimestamp(data.get(UNTIL, 0), UTC)
    return Proof(signature, expires_at) if posted_at < expires_at else None


def _parse(solution: str) -> Payload | None:
    try:
        return Payload.from_base64(solution)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _is_correct(keyring: Keyring, payload: Payload, key: str) -> bool:
    parameters = payload.challenge.parameters
    # No challenge of ours lacks the signature of its key. The library would derive the key anew for one without.
    if not parameters.key_signature or parameters.expires_at is not None:
        return False
    secret, key_secret = _secret(keyring, PURPOSE, key), _secret(keyring, KEY_PURPOSE, key)
    return bool(verify_solution(payload, secret, hmac_key_secret=key_secret).verified)


def _secret(keyring: Keyring, purpose: str, key: str) -> bytes:
    return keyring.mac(purpose, b"challenge", key=key)
