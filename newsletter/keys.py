"""The keyring: every token and MAC names its key, so keys can be changed without breaking old links."""

import binascii
import os
import secrets
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile

from newsletter.errors import Misconfigured
from newsletter.settings import LEAST, Settings

BLOCK = 64  # octets of SHA-256's
URL_SAFE = bytes.maketrans(b"+/", b"-_")
KEPT = "secret_key"  # the file in the data folder


class Keyring:
    """Secret keys by id, newest first. The newest makes; all of them verify.

    Purposes never share a key: what is used is HMAC-SHA-256(key, purpose).
    """

    def __init__(self, keys: Iterable[tuple[str, str]]) -> None:
        self._keys = {name: key.encode() for name, key in keys}
        self._macs: dict[tuple[str, str], Callable[[bytes], bytes]] = {}
        self.newest = next(iter(self._keys))

    def __contains__(self, name: str) -> bool:
        return name in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def mac(self, purpose: str, message: bytes, *, key: str | None = None) -> bytes:
        """The 32-byte HMAC-SHA-256 of a message for one purpose, with the newest key or the one named (KeyError)."""
        return self.maker(purpose, key=key)(message)

    def maker(self, purpose: str, *, key: str | None = None) -> Callable[[bytes], bytes]:
        """What makes such MACs, prepared once: every letter of an issue needs some."""
        name = key or self.newest
        made = self._macs.get((purpose, name))
        if made is None:
            derived = hmac_sha256(self._keys[name])(purpose.encode())
            made = self._macs[purpose, name] = hmac_sha256(derived)
        return made


def hmac_sha256(key: bytes) -> Callable[[bytes], bytes]:
    """HMAC-SHA-256 (RFC 2104) under one key, whose two blocks are made only once.

    For a short message that is four times as fast as the standard library, which sets up OpenSSL anew for each.
    """
    block = (sha256(key).digest() if len(key) > BLOCK else key).ljust(BLOCK, b"\0")
    inner, outer = bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)
    return lambda message: sha256(outer + sha256(inner + message).digest()).digest()


def keyring(settings: Settings) -> Keyring:
    """The configured keys; for the embedded SQLite default, one made once and kept in the data folder."""
    if settings.secret_keys:
        return Keyring(settings.secret_keys)
    if not settings.database.startswith("sqlite"):
        raise Misconfigured(
            "NEWSLETTER_SECRET_KEYS: not set. Every process needs the same keys, kept outside the database; make one "
            "with: python -c \"import secrets; print('k1:' + secrets.token_urlsafe(32))\""
        )
    return Keyring([("k1", _kept(settings.data_dir / KEPT))])


def known(settings: Settings) -> Keyring | None:
    """The keys, where this process has them; it makes none. Raises Misconfigured where the kept one is damaged."""
    has_kept = settings.database.startswith("sqlite") and (settings.data_dir / KEPT).exists()
    return keyring(settings) if settings.secret_keys or has_kept else None


def _kept(path: Path) -> str:
    """The key in this file, made if it is not there: once, also by two processes that start at the same time."""
    if not path.exists():
        _make(path)
    key = path.read_text(encoding="ascii", errors="replace").strip()
    if len(key) < LEAST or not key.isascii():
        raise Misconfigured(
            f"{path} is damaged. Put the key back from a backup: without it no link in a sent letter works."
        )
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written in full under another name, and only then given this one: nobody ever reads half a key, and a link never
    # takes the place of a file that is there.
    with NamedTemporaryFile("w", encoding="ascii", dir=path.parent, prefix=f".{path.name}-") as file:  # mode 0600
        file.write(secrets.token_urlsafe(32))
        file.flush()
        os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(file.name, path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)  # or a power cut could take the name away, after letters have left that need the key
    os.close(folder)


def text(mac: bytes) -> str:
    """Bytes as unpadded base64url (RFC 4648 section 5)."""
    return ascii_text(mac).decode()


def ascii_text(mac: bytes) -> bytes:
    """The same, as octets."""
    return binascii.b2a_base64(mac, newline=False).translate(URL_SAFE, b"=")


def raw(encoded: str) -> bytes:
    """What `text` made, as bytes again. Raises ValueError for anything else, or another spelling of them."""
    decoded = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    if text(decoded) != encoded:
        raise ValueError("not canonical")
    return decoded
