"""Reading: bytes in, whole replies out, however they were cut on the way (RFC 5321 section 4.2)."""

import re
from typing import NamedTuple

from newsletter.mail.transport import replies
from newsletter.mail.transport.transport import Reply

LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
LONGEST = 4096  # octets of a line; the RFC allows 512
MOST = 200  # lines of a reply
KNOWN = 64  # one-line replies that are remembered: a relay says the same to every letter


class ParsedReply(NamedTuple):
    """A whole reply."""

    reply: Reply
    lines: tuple[bytes, ...] = ()  # what stands after the codes


NONSENSE = ParsedReply(Reply(None, None, "the relay's reply is none"))


class ReplyReader:
    """Makes replies of what arrives. Keeps at most one reply in pieces, and that of a bounded size."""

    def __init__(self) -> None:
        self._rest = b""
        self._before: list[bytes] = []  # lines of a reply that goes on
        self._code = b""
        self._known: dict[bytes, ParsedReply] = {}

    @property
    def is_between(self) -> bool:
        """Whether everything that arrived was read: no piece of a reply is left."""
        return not self._rest and not self._before

    def feed(self, data: bytes) -> list[ParsedReply]:
        """The replies that are whole now. NONSENSE is the last one: after it nothing can be understood."""
        *lines, self._rest = (self._rest + data).split(b"\n") if self._rest else data.split(b"\n")
        whole = []
        for line in lines:
            heard = (None if self._before else self._known.get(line)) or self._read(line)
            if heard:
                whole.append(heard)
            if heard is NONSENSE:
                return whole
        if len(self._rest) > LONGEST:
            whole.append(NONSENSE)
        return whole

    def _read(self, line: bytes) -> ParsedReply | None:
        """The reply that this line ends; None where it goes on."""
        found = LINE.fullmatch(line.removesuffix(b"\r"))
        if not found or len(line) > LONGEST or len(self._before) == MOST:
            return NONSENSE
        code, mark, text = found.groups()
        if self._before and code != self._code:
            return NONSENSE
        self._code = code
        self._before.append(text or b"")
        if mark == b"-":
            return None
        heard = ParsedReply(replies.heard(int(code), b"\n".join(self._before)), tuple(self._before))
        if len(self._before) == 1:
            self._remember(line, heard)
        self._before = []
        return heard

    def _remember(self, line: bytes, heard: ParsedReply) -> None:
        # Some say something new to each letter, such as its number in their queue; the others come back soon enough.
        if len(self._known) >= KNOWN:
            self._known.clear()
        self._known[line] = heard
