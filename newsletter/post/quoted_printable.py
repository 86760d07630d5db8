"""Quoted-printable (RFC 2045 section 6.7), so plain that no relay finds anything to change.

Every line is 7-bit and at most 76 long; none begins with "." (nothing to stuff, RFC 5321 section 4.5.2) or with "From "
(nothing for a mailbox to escape), and none ends in a blank (nothing to trim). So a signature over it stays valid.
"""

import re

SOFT_BREAK = b"=\r\n"

LINE_BREAK = re.compile(r"\r\n?")
# 73 and not 75, so that the first character can still be escaped; never in the middle of an escape.
CHUNK = re.compile(rb".{1,73}(?<!=)(?<!=.)")
ITSELF = re.compile(r"(?!\.|From )[ -<>-~]{0,72}[!-<>-~]")  # most names and links: one line, nothing to escape
PRINTABLE = frozenset(b"\t" + bytes(range(0x20, 0x7F))) - frozenset(b"=")
BYTES = [b"%c" % byte if byte in PRINTABLE else b"=%02X" % byte for byte in range(256)]


def encode(text: str) -> bytes:
    """`text` in UTF-8, to stand at the start of a line; line breaks of any kind are CRLF, and none is added."""
    if ITSELF.fullmatch(text):
        return text.encode("ascii")
    return b"\r\n".join(_line(line) for line in LINE_BREAK.sub("\n", text).encode().split(b"\n"))


def _line(line: bytes) -> bytes:
    if line.endswith((b" ", b"\t")):
        encoded = b"".join([BYTES[byte] for byte in line[:-1]]) + b"=%02X" % line[-1]
    else:
        encoded = b"".join([BYTES[byte] for byte in line])
    return SOFT_BREAK.join(_guarded(chunk) for chunk in CHUNK.findall(encoded))


def _guarded(chunk: bytes) -> bytes:
    return b"=%02X" % chunk[0] + chunk[1:] if chunk.startswith((b".", b"From ")) else chunk
