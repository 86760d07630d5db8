"""Parse DKIM keys as the DNS publishes them (RFC 6376 section 3.6.1, RFC 8301, RFC 8463)."""

import base64
import binascii
from typing import NamedTuple

from newsletter.doctor.domains import tags
from newsletter.errors import NewsletterError
from newsletter.plain_text import shown

MIN_RSA_BITS, ADVISED_RSA_BITS = 1024, 2048  # RFC 8301 section 3.2
RSA_OID = bytes.fromhex("2a864886f70d010101")  # the object identifier of rsaEncryption

# The selectors that relays and providers commonly use. The DNS cannot list the selectors of a domain.
COMMON_SELECTORS = (
    "default",
    "dkim",
    "mail",
    "smtp",
    "mx",
    "key1",
    "key2",
    "s1",
    "s2",
    "s1024",
    "s2048",
    "selector1",
    "selector2",
    "k1",
    "k2",
    "k3",
    "google",
    "mandrill",
    "mailjet",
    "sendgrid",
    "pm",
    "zoho",
    "fm1",
    "fm2",
    "fm3",
    "protonmail",
    "dk",
    "sig1",
    "mta",
    "newsletter",
    "news",
)


class InvalidKey(NewsletterError):
    """This is not a DKIM key."""


class Key(NamedTuple):
    """A public key. `bits` is None if it is revoked."""

    kind: str
    bits: int | None
    is_test: bool
    hashes: tuple[str, ...]


def read(text: str) -> Key:
    """Return the key in a record. Raises InvalidKey."""
    values = tags.read(text)
    if values is None or "p" not in values or values.get("v", "DKIM1") != "DKIM1":
        raise InvalidKey("it does not have the form v=DKIM1; k=rsa; p=...")
    kind = values.get("k", "rsa").lower()
    flags = [flag.strip().lower() for flag in values.get("t", "").split(":")]
    hashes = tuple(each.strip().lower() for each in values["h"].split(":")) if "h" in values else ("sha256",)
    return Key(kind, _bits(kind, tags.joined(values["p"])), "y" in flags, hashes)


def _bits(kind: str, public: str) -> int | None:
    if not public:
        return None
    try:
        body = base64.b64decode(public, validate=True)
    except binascii.Error:
        raise InvalidKey("its p= is not base64; a part may be missing") from None
    if kind == "ed25519":
        return len(body) * 8
    if kind != "rsa":
        raise InvalidKey(f"receivers do not know a key of the kind “{shown(kind)}”")
    try:
        return _modulus(body).bit_length()
    except (IndexError, ValueError):
        raise InvalidKey("its p= is not an RSA key; a part may be missing") from None


def _modulus(body: bytes) -> int:
    """Return the modulus of an RSA key in DER: a SubjectPublicKeyInfo (RFC 5280) or an RSAPublicKey (RFC 8017)."""
    outer, _ = _element(body, 0x30)
    if outer[:1] == b"\x30":
        algorithm, rest = _element(outer, 0x30)
        if _element(algorithm, 0x06)[0] != RSA_OID:
            raise ValueError("not the algorithm RSA")
        bits, _ = _element(rest, 0x03)
        outer, _ = _element(bits[1:], 0x30)  # bits[0] counts the unused bits of the last byte, always 0
    modulus, rest = _element(outer, 0x02)
    _element(rest, 0x02)
    return int.from_bytes(modulus)


def _element(body: bytes, kind: int) -> tuple[bytes, bytes]:
    """Return the content of the first DER element, and the bytes after it. Raises ValueError for another kind."""
    if body[0] != kind:
        raise ValueError("another kind of element")
    length, start = body[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(body[2:start])
    if len(body) < start + length:
        raise ValueError("cut off")
    return body[start : start + length], body[start + length :]
