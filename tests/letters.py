"""Parse letters in tests, and check that their bytes are well-formed."""

import re
from email import policy
from email.header import decode_header
from email.message import EmailMessage
from email.parser import BytesParser


def parsed(source: bytes) -> EmailMessage:
    return BytesParser(policy=policy.default).parsebytes(source)


def read(source: bytes) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the headers and the decoded parts, as a mail program shows them."""
    message = parsed(source)
    headers = [(name, " ".join(value.split())) for name, value in message.items() if name != "Content-Type"]
    return sorted(headers), [unified(part.get_content()) for part in message.iter_parts()]


def unified(text: str) -> str:
    return re.sub(r"\r\n?", "\n", text)


def assert_well_formed(source: bytes) -> None:
    """Check the bytes of a letter against what relays and mail programs need."""
    assert source.isascii()
    assert b"\0" not in source
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", source)
    head, _, body = source.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        assert len(line) <= 998
        assert len(line) <= 78 or b" " not in line.strip().partition(b": ")[2], "the line could have been folded"
    unfolded = re.sub(rb"\r\n(?=[ \t])", b"", head)
    names = [line.partition(b":")[0].lower() for line in unfolded.split(b"\r\n")]
    assert len(set(names)) == len(names), "a header is repeated"
    for word in re.findall(r"=\?utf-8\?[bq]\?[^ ?]*\?=", head.decode("ascii")):
        assert len(word) <= 75
        decode_header(word)[0][0].decode()  # no character is split
    for line in body.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.startswith((b".", b"From "))
        assert not line.endswith((b" ", b"\t"))
    assert parsed(source).defects == []
