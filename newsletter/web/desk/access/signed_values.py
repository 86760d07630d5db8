"""Values that a browser keeps for the desk until they expire: JSON that anybody can read and only we can write."""

import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from newsletter.keys import Keyring, from_base64url, to_base64url

MAC_BYTES = 16


def write(keyring: Keyring, purpose: str, values: Sequence[Any], *, expires_at: datetime) -> str:
    """Return the values as text of letters, digits, hyphens, underscores and full stops."""
    content = json.dumps([int(expires_at.timestamp()), *values]).encode()
    return f"{keyring.newest}.{to_base64url(content)}.{_mac(keyring, purpose, keyring.newest, content)}"


def read(keyring: Keyring, purpose: str, text: str, *, now: datetime) -> list[Any] | None:
    """Return the values; None if we have not written the text for this purpose, or if they have expired."""
    try:
        key, encoded, given = text.split(".")
        content = from_base64url(encoded)
    except ValueError:
        return None
    if key not in keyring or not hmac.compare_digest(_mac(keyring, purpose, key, content).encode(), given.encode()):
        return None
    expires, *values = json.loads(content)
    return values if now.timestamp() < expires else None


def _mac(keyring: Keyring, purpose: str, key: str, content: bytes) -> str:
    return to_base64url(keyring.mac(purpose, content, key=key)[:MAC_BYTES])
