"""Encode text as quoted-printable (RFC 2045 section 6.7) that no relay has a reason to change.

Every line is 7-bit and has at most 76 characters. No line begins with "." (dot stuffing, RFC 5321 section 4.5.2) or
"From " (which mailboxes escape), and none ends in a blank (which relays trim). So a DKIM signature stays valid.
"""

import re
from binascii import b2a_qp

SOFT_BREAK = b"=\r\n"
CHUNK_LENGTH = 73  # of 75 before a soft break: escaping the first character adds two

LINE_BREAK = re.compile(r"\r\n?")
CHUNK = re.compile(rb".{1,%d}(?<!=)(?<!=.)" % CHUNK_LENGTH)  # never ends in the middle of an escape
UNCHANGED = re.compile(r"(?!\.|From )[ -<>-~]{0,72}[!-<>-~]")  # most names and links: one line without an escape


def encode(text: str) -> bytes:
    """Return `text` in UTF-8, for the start of a line. Any kind of line break becomes CRLF, and none is added."""
    if UNCHANGED.fullmatch(text):
        return text.encode("ascii")
    return b"\r\n".join([_line(line) for line in LINE_BREAK.sub("\n", text).encode().split(b"\n")])


def wrap(encoded: bytes) -> bytes:
    """Return encoded bytes with soft breaks, in lines that no relay has a reason to change."""
    if len(encoded) <= CHUNK_LENGTH:
        return _escape_start(encoded)
    return SOFT_BREAK.join([_escape_start(chunk) for chunk in CHUNK.findall(encoded)])


def _line(line: bytes) -> bytes:
    # b2a_qp may break a line before "." or "From ", so its soft breaks are replaced.
    return wrap(b2a_qp(line, istext=False).replace(b"=\n", b""))


def _escape_start(chunk: bytes) -> bytes:
    return b"=%02X" % chunk[0] + chunk[1:] if chunk.startswith((b".", b"From ")) else chunk
