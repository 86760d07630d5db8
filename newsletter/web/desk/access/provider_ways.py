"""The way to the OpenID provider and back: what the desk has to remember of it stands in a signed, short cookie."""

import hmac
from datetime import datetime, timedelta
from typing import NamedTuple

from newsletter.keys import Keyring
from newsletter.operators.openid.provider import WaySecrets
from newsletter.web.desk.access import signed_values

PURPOSE = "desk provider way"  # of the MACs
LIFETIME = timedelta(minutes=15)  # to sign in at the provider


class ProviderWay(NamedTuple):
    """One way to the provider."""

    secrets: WaySecrets
    to: str  # the page that is wanted afterwards
    operator_id: int = 0  # who wants to link an account; 0: somebody who wants to sign in


def write(keyring: Keyring, way: ProviderWay, *, now: datetime) -> str:
    """Return the value of the cookie."""
    values = *way.secrets, way.to, way.operator_id
    return signed_values.write(keyring, PURPOSE, values, expires_at=now + LIFETIME)


def read(keyring: Keyring, cookie: str, *, state: str, now: datetime) -> ProviderWay | None:
    """Return the way that an answer with this state ends; None if this browser did not begin it, or too long ago."""
    values = signed_values.read(keyring, PURPOSE, cookie, now=now)
    if values is None:
        return None
    own, nonce, verifier, to, operator_id = values
    if not hmac.compare_digest(own.encode(), state.encode()):
        return None
    return ProviderWay(WaySecrets(own, nonce, verifier), to, operator_id)
