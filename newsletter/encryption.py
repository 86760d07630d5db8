"""Encrypt what a letter carries for the service alone. The same text gives the same bytes, as a repeated letter must.

AES-SIV (RFC 5297) needs no random number for that. It authenticates what it encrypts, and also the context that this is
bound to, so that neither can be changed or exchanged.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from newsletter.keys import Keyring

KEY_PARTS = (b"1", b"2")  # AES-256-SIV takes 64 bytes, two MACs


class Cipher:
    """Encrypts and decrypts for one purpose, with one key of the keyring. Raises KeyError without that key."""

    def __init__(self, keyring: Keyring, purpose: str, *, key: str) -> None:
        self._aes = AESSIV(b"".join(keyring.mac(purpose, part, key=key) for part in KEY_PARTS))

    def encrypt(self, text: bytes, *, context: bytes) -> bytes:
        """Return the text encrypted, 16 bytes longer, bound to the context. An empty text is refused."""
        return self._aes.encrypt(text, [context])

    def decrypt(self, encrypted: bytes, *, context: bytes) -> bytes | None:
        """Return the text; None if it was encrypted for another purpose or context, with another key, or changed."""
        try:
            return self._aes.decrypt(encrypted, [context])
        except (InvalidTag, ValueError):
            return None
