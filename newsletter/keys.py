"""The keyring: every token and MAC names its key, so keys can be changed without breaking old links."""

import base64
import hmac
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from newsletter.errors import Misconfigured
from newsletter.settings import Settings


class Keyring:
    """Secret keys by id, newest first. The newest makes; all of them verify.

    Purposes never share a key: what is used is HMAC-SHA-256(key, purpose).
    """

    def __init__(self, keys: Iterable[tuple[str, str]]) -> None:
        self._keys = {name: key.encode() for name, key in keys}
        self.newest = next(iter(self._keys))

    def __contains__(self, name: str) -> bool:
        return name in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def mac(self, purpose: str, message: bytes, *, key: str | None = None) -> bytes:
        """The 32-byte HMAC-SHA-256 of a message for one purpose, with the newest key or the one named."""
        derived = hmac.digest(self._keys[key or self.newest], purpose.encode(), "sha256")
        return hmac.digest(derived, message, "sha256")


def keyring(settings: Settings) -> Keyring:
    """The configured keys; for the embedded SQLite default, one made once and kept in the data folder."""
    if settings.secret_keys:
        return Keyring(settings.secret_keys)
    if not settings.database.startswith("sqlite"):
        raise Misconfigured(
            "NEWSLETTER_SECRET_KEYS: not set. Every process needs the same keys, kept outside the database; "
            f"make one with: NEWSLETTER_SECRET_KEYS=k1:{'<40 random characters>'}"
        )
    return Keyring([("k1", _kept(settings.data_dir / "secret_key"))])


def _kept(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # O_EXCL: of two processes that start at once, one makes the key and the other reads it.
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
    except FileExistsError:
        pass
    if not (key := path.read_text(encoding="ascii").strip()):
        raise Misconfigured(
            f"{path} is empty. Put the key back from a backup: without it no link in a sent letter works."
        )
    return key


def text(mac: bytes) -> str:
    """Bytes as unpadded base64url (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def raw(encoded: str) -> bytes:
    """What `text` made, as bytes again. Raises ValueError for anything else, or another spelling of them."""
    decoded = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    if text(decoded) != encoded:
        raise ValueError("not canonical")
    return decoded
