"""Split the received bytes into whole replies, wherever they were cut on the way (RFC 5321 section 4.2)."""

import re
from collections.abc import Callable
from typing import NamedTuple

from newsletter.mail.transport import replies
from newsletter.mail.transport.transport import Reply

LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
MAX_LINE_OCTETS = 4096  # the RFC allows 512
MAX_REPLY_LINES = 200
MAX_CACHED_REPLIES = 64  # of one line: a relay sends the same to every message


class ParsedReply(NamedTuple):
    """A whole reply."""

    reply: Reply
    lines: tuple[bytes, ...] = ()  # without their codes


INVALID = ParsedReply(Reply(None, None, "the relay sent an invalid reply"))


class ReplyReader:
    """Parses replies as they arrive. It keeps at most one incomplete reply, of a bounded size.

    `hide` replaces what must not be stored of a reply: the credentials that the relay may quote.
    """

    def __init__(self, hide: Callable[[str], str] = lambda text: text) -> None:
        self._hide = hide
        self._rest = b""  # the start of a line
        self._lines: list[bytes] = []  # of an incomplete reply
        self._code = b""
        self._cached: dict[bytes, ParsedReply] = {}

    @property
    def is_empty(self) -> bool:
        """Whether no incomplete reply is left."""
        return not self._rest and not self._lines

    def feed(self, data: bytes) -> list[ParsedReply]:
        """Return the replies that are complete now. INVALID is the last one: what follows cannot be understood."""
        *lines, self._rest = (self._rest + data).split(b"\n") if self._rest else data.split(b"\n")
        complete = []
        for line in lines:
            parsed = (None if self._lines else self._cached.get(line)) or self._read(line)
            if parsed:
                complete.append(parsed)
            if parsed is INVALID:
                return complete
        if len(self._rest) > MAX_LINE_OCTETS:
            complete.append(INVALID)
        return complete

    def _read(self, line: bytes) -> ParsedReply | None:
        """Return the reply that this line completes; None if more lines follow."""
        match = LINE.fullmatch(line.removesuffix(b"\r"))
        if not match or len(line) > MAX_LINE_OCTETS or len(self._lines) == MAX_REPLY_LINES:
            return INVALID
        code, separator, text = match.groups()
        if self._lines and code != self._code:
            return INVALID
        self._code = code
        self._lines.append(text or b"")
        if separator == b"-":
            return None
        parsed = ParsedReply(replies.parse(int(code), b"\n".join(self._lines), hide=self._hide), tuple(self._lines))
        if len(self._lines) == 1:
            self._cache(line, parsed)
        self._lines = []
        return parsed

    def _cache(self, line: bytes, parsed: ParsedReply) -> None:
        # Some replies are different for each message, such as those with a queue id; the others are soon cached again.
        if len(self._cached) >= MAX_CACHED_REPLIES:
            self._cached.clear()
        self._cached[line] = parsed
