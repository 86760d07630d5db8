"""How long to wait for a relay (RFC 5321 section 4.5.3.2)."""

import math
from typing import NamedTuple

from newsletter.mail.transport.smtp.command_queue import AwaitedReply


class Timeouts(NamedTuple):
    """Timeouts in seconds."""

    connect: float = 30
    greeting: float = 300
    command: float = 300  # EHLO, AUTH, MAIL, RCPT
    data: float = 120  # until the relay asks for the content
    block: float = 180  # without the relay reading any of the content
    final_dot: float = 600  # a client that hangs up earlier makes letters arrive twice
    idle: float = 100  # for which an open connection is kept for the next message; relays hang up after some minutes

    def for_reply(self, awaited: AwaitedReply | None) -> float:
        """Return how long a reply may take; infinity if none is awaited."""
        match awaited:
            case None:
                return math.inf
            case AwaitedReply.COMMAND:
                return self.command
            case AwaitedReply.DATA:
                return self.data
            case AwaitedReply.FINAL_DOT:
                return self.final_dot
