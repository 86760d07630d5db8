"""Quoted-printable (RFC 2045 section 6.7), so plain that no relay finds anything to change.

Every line is 7-bit and at most 76 long; none begins with "." (nothing to stuff, RFC 5321 section 4.5.2) or with "From "
(nothing for a mailbox to escape), and none ends in a blank (nothing to trim). So a signature over it stays valid.
"""

import re
from binascii import b2a_qp

SOFT_BREAK = b"=\r\n"
WIDTH = 73  # and not 75, so that the first character can still be escaped

LINE_BREAK = re.compile(r"\r\n?")
CHUNK = re.compile(rb".{1,%d}(?<!=)(?<!=.)" % WIDTH)  # never ends in the middle of an escape
ITSELF = re.compile(r"(?!\.|From )[ -<>-~]{0,72}[!-<>-~]")  # most names and links: one line, nothing to escape


def encode(text: str) -> bytes:
    """`text` in UTF-8, to stand at the start of a line; line breaks of any kind are CRLF, and none is added."""
    if ITSELF.fullmatch(text):
        return text.encode("ascii")
    return b"\r\n".join([_line(line) for line in LINE_BREAK.sub("\n", text).encode().split(b"\n")])


def wrapped(encoded: bytes) -> bytes:
    """What is encoded, or needs no encoding, in lines that begin and end harmlessly."""
    if len(encoded) <= WIDTH:
        return _guarded(encoded)
    return SOFT_BREAK.join([_guarded(chunk) for chunk in CHUNK.findall(encoded)])


def _line(line: bytes) -> bytes:
    # Where that function breaks lines, they may begin with anything; so its breaks are taken out and made anew.
    return wrapped(b2a_qp(line, istext=False).replace(b"=\n", b""))


def _guarded(chunk: bytes) -> bytes:
    return b"=%02X" % chunk[0] + chunk[1:] if chunk.startswith((b".", b"From ")) else chunk
