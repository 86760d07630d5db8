"""The way to the OpenID provider and back: what the desk has to remember of it stands in a signed, short cookie."""

import hmac
import json
from datetime import datetime, timedelta
from typing import NamedTuple

from newsletter.keys import Keyring, from_base64url, to_base64url
from newsletter.operators.openid.provider import WaySecrets

PURPOSE = "desk provider way"  # of the MACs
MAC_BYTES = 16
LIFETIME = timedelta(minutes=15)  # to sign in at the provider


class ProviderWay(NamedTuple):
    """One way to the provider."""

    secrets: WaySecrets
    to: str  # the page that is wanted afterwards
    operator_id: int = 0  # who wants to link an account; 0: somebody who wants to sign in


def write(keyring: Keyring, way: ProviderWay, *, now: datetime) -> str:
    """Return the value of the cookie."""
    content = json.dumps([*way.secrets, way.to, way.operator_id, int((now + LIFETIME).timestamp())]).encode()
    return f"{keyring.newest}.{to_base64url(content)}.{_mac(keyring, keyring.newest, content)}"


def read(keyring: Keyring, cookie: str, *, state: str, now: datetime) -> ProviderWay | None:
    """Return the way that an answer with this state ends; None if this browser did not begin it, or too long ago."""
    try:
        key, encoded, given = cookie.split(".")
        content = from_base64url(encoded)
    except ValueError:
        return None
    if key not in keyring or not hmac.compare_digest(_mac(keyring, key, content).encode(), given.encode()):
        return None
    own, nonce, verifier, to, operator_id, expires = json.loads(content)
    if not hmac.compare_digest(own.encode(), state.encode()) or now.timestamp() >= expires:
        return None
    return ProviderWay(WaySecrets(own, nonce, verifier), to, operator_id)


def _mac(keyring: Keyring, key: str, content: bytes) -> str:
    return to_base64url(keyring.mac(PURPOSE, content, key=key)[:MAC_BYTES])
