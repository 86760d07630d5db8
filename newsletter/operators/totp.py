"""The second factor: codes from an app (TOTP, RFC 6238), each of which counts once.

The secret is stored encrypted, with a key that is derived from one of the service's secret keys and named beside it.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime, timedelta

import pyotp
from cryptography.fernet import Fernet
from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from newsletter.keys import Keyring
from newsletter.operators.operators import Operator

PURPOSE = "totp secret"  # of the derived keys
STEP = timedelta(seconds=30)
SKEW = (0, -1, 1)  # steps that a phone's clock may be off
DIGITS = 6


def begin(operator: Operator, keyring: Keyring) -> None:
    """Store a new secret for an operator who has no second factor. It counts once `take` has confirmed it."""
    if operator.totp_confirmed_at is None:
        operator.totp_secret, operator.totp_last_step = _sealed(pyotp.random_base32(), keyring), None


def secret(operator: Operator, keyring: Keyring) -> str | None:
    """Return an operator's secret in base32, None without one or without the key that it was encrypted with."""
    if operator.totp_secret is None:
        return None
    name, _, token = operator.totp_secret.partition(b":")
    return _cipher(keyring, name.decode()).decrypt(token).decode() if name.decode() in keyring else None


def uri(operator: Operator, keyring: Keyring, *, issuer: str) -> str:
    """Return what the QR code holds: the secret and the name that the app shows."""
    return pyotp.TOTP(secret(operator, keyring) or "").provisioning_uri(name=operator.address, issuer_name=issuer)


def take(session: Session, operator: Operator, code: str, keyring: Keyring, *, now: datetime) -> bool:
    """Whether the code is right and was not used before; from now on it is. Of two processes, one gets it.

    A secret that was encrypted with an older key is encrypted with the newest.
    """
    known, digits = secret(operator, keyring), "".join(code.split())
    if known is None or len(digits) != DIGITS:
        return False
    right = pyotp.TOTP(known).generate_otp
    step = next((step for step in _steps(now) if _is_same(right, step, digits)), None)
    if step is None:
        return False
    unused = or_(Operator.totp_last_step.is_(None), Operator.totp_last_step < step)
    same = Operator.id == operator.id, Operator.totp_secret == operator.totp_secret, unused
    values = {"totp_last_step": step, "totp_secret": _renewed(operator, known, keyring)}
    return session.scalar(update(Operator).where(*same).values(values).returning(Operator.id)) is not None


def names_key(session: Session, name: str) -> bool:
    """Whether a stored secret is encrypted with this key."""
    prefix = f"{name}:".encode()
    with_prefix = select(Operator.id).where(func.substr(Operator.totp_secret, 1, len(prefix)) == prefix)
    return session.scalar(with_prefix.limit(1)) is not None


def _steps(now: datetime) -> list[int]:
    return [int((now + skew * STEP).timestamp() // STEP.total_seconds()) for skew in SKEW]


def _is_same(right: Callable[[int], str], step: int, digits: str) -> bool:
    return hmac.compare_digest(right(step).encode(), digits.encode())


def _renewed(operator: Operator, known: str, keyring: Keyring) -> bytes | None:
    stored = operator.totp_secret
    is_newest = stored is not None and stored.startswith(f"{keyring.newest}:".encode())
    return stored if is_newest else _sealed(known, keyring)


def _sealed(text: str, keyring: Keyring) -> bytes:
    return f"{keyring.newest}:".encode() + _cipher(keyring, keyring.newest).encrypt(text.encode())


def _cipher(keyring: Keyring, name: str) -> Fernet:
    return Fernet(urlsafe_b64encode(keyring.mac(PURPOSE, b"", key=name)))
