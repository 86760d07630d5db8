"""The secret keys. Every token and MAC names its key, so keys can be rotated without breaking old links."""

import binascii
import os
import secrets
import sqlite3
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile

from newsletter.errors import Misconfigured
from newsletter.setting_groups.trust import MAX_KEY_ID_CHARACTERS, MIN_KEY_CHARACTERS
from newsletter.settings import Settings

MAX_ID_CHARACTERS = MAX_KEY_ID_CHARACTERS
HMAC_BLOCK_BYTES = 64  # of SHA-256
URL_SAFE = bytes.maketrans(b"+/", b"-_")
KEY_FILE = "secret_key"  # the file in the data folder


class Keyring:
    """Secret keys by id, newest first. The newest key makes MACs; every key verifies them.

    Purposes never share a key: each one uses HMAC-SHA-256(key, purpose).
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
        """Return the 32-byte HMAC-SHA-256 of a message for one purpose, with the newest or the given key.

        Raises KeyError if there is no such key.
        """
        return self.mac_maker(purpose, key=key)(message)

    def mac_maker(self, purpose: str, *, key: str | None = None) -> Callable[[bytes], bytes]:
        """Return the function that makes these MACs, cached, because every letter of an issue needs several."""
        name = key or self.newest
        maker = self._macs.get((purpose, name))
        if maker is None:
            derived = hmac_sha256(self._keys[name])(purpose.encode())
            maker = self._macs[purpose, name] = hmac_sha256(derived)
        return maker


def hmac_sha256(key: bytes) -> Callable[[bytes], bytes]:
    """Return the function for HMAC-SHA-256 (RFC 2104) under one key, with its two key blocks computed in advance.

    For short messages it is four times as fast as the standard library, which sets up OpenSSL for each one.
    """
    block = (sha256(key).digest() if len(key) > HMAC_BLOCK_BYTES else key).ljust(HMAC_BLOCK_BYTES, b"\0")
    inner, outer = bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)
    return lambda message: sha256(outer + sha256(inner + message).digest()).digest()


def load_keyring(settings: Settings) -> Keyring:
    """Return the configured keys. Without any, on SQLite, return the key in the data folder.

    The key is created if it is missing, but never beside a database that was used with one before.
    Raises Misconfigured then, on PostgreSQL without keys, and if the key in the data folder is damaged.
    """
    if settings.secret_keys:
        return Keyring(settings.secret_keys)
    if settings.sqlite_file is None:
        raise Misconfigured(
            "NEWSLETTER_SECRET_KEYS: not set. Every process needs the same keys, stored outside the database. Create "
            "one with: python -c \"import secrets; print('k1:' + secrets.token_urlsafe(32))\""
        )
    return Keyring([("k1", _read_or_create(settings.data_dir / KEY_FILE, beside=settings.sqlite_file))])


def load_if_present(settings: Settings) -> Keyring | None:
    """Return the keys if there are any, without creating one. Raises Misconfigured if the key file is damaged."""
    has_file = settings.sqlite_file is not None and (settings.data_dir / KEY_FILE).exists()
    return load_keyring(settings) if settings.secret_keys or has_file else None


def _read_or_create(path: Path, *, beside: Path) -> str:
    """Return the key in this file. Of several processes that start at once, only one creates it."""
    # Read the database first: another process may create the key and register it meanwhile.
    if not path.exists() and _has_known_key(beside) and not path.exists():
        raise Misconfigured(
            f"{path} is missing, but the database {beside} was used with a key before. Restore the file from a backup, "
            "or set the former NEWSLETTER_SECRET_KEYS. With a new key, links in sent letters would stop working, and "
            "addresses that must never be written to would not be recognized."
        )
    if not path.exists():
        _create(path)
    key = path.read_text(encoding="ascii", errors="replace").strip()
    if len(key) < MIN_KEY_CHARACTERS or not key.isascii():
        raise Misconfigured(
            f"{path} is damaged. Restore it from a backup: without this key, links in sent letters do not work."
        )
    return key


def _has_known_key(database: Path) -> bool:
    """Return whether the SQLite database was ever used with a key. Raises Misconfigured if that cannot be read."""
    if not database.exists():
        return False
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT 1 FROM known_keys LIMIT 1").fetchone() is not None
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:  # no such table: it is new
            return False
        raise Misconfigured(f"The database {database} cannot be read: {error}") from error


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Write the file under a temporary name, then link it: no process reads half a key, and unlike a rename, a link
    # never replaces an existing file.
    with NamedTemporaryFile("w", encoding="ascii", dir=path.parent, prefix=f".{path.name}-") as file:  # mode 0600
        file.write(secrets.token_urlsafe(32))
        file.flush()
        os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(file.name, path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)  # otherwise a power cut could lose the file after letters that need the key have been sent
    os.close(folder)


def to_base64url(mac: bytes) -> str:
    """Return unpadded base64url (RFC 4648 section 5)."""
    return to_base64url_bytes(mac).decode()


def to_base64url_bytes(mac: bytes) -> bytes:
    """Return the same as ASCII bytes."""
    return binascii.b2a_base64(mac, newline=False).translate(URL_SAFE, b"=")


def from_base64url(encoded: str) -> bytes:
    """Decode the output of `to_base64url`. Raises ValueError for anything else, also for a non-canonical spelling."""
    decoded = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    if to_base64url(decoded) != encoded:
        raise ValueError("not canonical")
    return decoded
