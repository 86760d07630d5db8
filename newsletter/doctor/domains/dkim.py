"""DKIM keys as the DNS publishes them (RFC 6376 section 3.6.1, RFC 8301, RFC 8463)."""

import base64
import binascii
from typing import NamedTuple

from newsletter.doctor.domains import tags
from newsletter.errors import NewsletterError

LEAST, BETTER = 1024, 2048  # bits of an RSA key, RFC 8301 section 3.2
RSA = bytes.fromhex("2a864886f70d010101")  # the object identifier of rsaEncryption

# Where keys usually stand. There is no way to ask which selectors a domain has.
USUAL = (
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


class Unreadable(NewsletterError):
    """This is no DKIM key."""


class Key(NamedTuple):
    """A public key: `bits` is None where it was revoked."""

    kind: str
    bits: int | None
    is_test: bool
    hashes: tuple[str, ...]


def read(text: str) -> Key:
    """The key of a record. Raises Unreadable."""
    found = tags.read(text)
    if found is None or "p" not in found or found.get("v", "DKIM1") != "DKIM1":
        raise Unreadable("it is not of the form v=DKIM1; k=rsa; p=...")
    kind = found.get("k", "rsa").lower()
    flags = [flag.strip().lower() for flag in found.get("t", "").split(":")]
    hashes = tuple(each.strip().lower() for each in found["h"].split(":")) if "h" in found else ("sha256",)
    return Key(kind, _bits(kind, tags.joined(found["p"])), "y" in flags, hashes)


def _bits(kind: str, public: str) -> int | None:
    if not public:
        return None
    try:
        body = base64.b64decode(public, validate=True)
    except binascii.Error:
        raise Unreadable("its p= is not base64; a part may be missing") from None
    if kind == "ed25519":
        return len(body) * 8
    if kind != "rsa":
        raise Unreadable(f"a key of the kind “{kind[:20]}” is not known to receivers")
    try:
        return _modulus(body).bit_length()
    except (IndexError, ValueError):
        raise Unreadable("its p= is no RSA key; a part may be missing") from None


def _modulus(body: bytes) -> int:
    """The modulus of an RSA key in DER: a SubjectPublicKeyInfo (RFC 5280), or the bare RSAPublicKey (RFC 8017)."""
    outer, _ = _element(body, 0x30)
    if outer[:1] == b"\x30":
        algorithm, rest = _element(outer, 0x30)
        if _element(algorithm, 0x06)[0] != RSA:
            raise ValueError("another algorithm")
        bits, _ = _element(rest, 0x03)
        outer, _ = _element(bits[1:], 0x30)  # before it: how many bits of the last byte are unused, always none
    modulus, rest = _element(outer, 0x02)
    _element(rest, 0x02)
    return int.from_bytes(modulus)


def _element(body: bytes, kind: int) -> tuple[bytes, bytes]:
    """The content of the first DER element, which has to be of that kind, and what follows it."""
    if body[0] != kind:
        raise ValueError("something else")
    length, start = body[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(body[2:start])
    if len(body) < start + length:
        raise ValueError("cut off")
    return body[start : start + length], body[start + length :]
