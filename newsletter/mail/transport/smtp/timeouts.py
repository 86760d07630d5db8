"""Patience: how long we wait for a relay (RFC 5321 section 4.5.3.2)."""

import math
from typing import NamedTuple

from newsletter.mail.transport.smtp.transactions import Step


class Timeouts(NamedTuple):
    """Seconds."""

    connect: float = 30
    greeting: float = 300
    command: float = 300  # EHLO, AUTH, MAIL, RCPT
    data: float = 120  # until it asks for the content
    block: float = 180  # in which none of the content is taken from us
    verdict: float = 600  # after the final dot: who hangs up earlier makes letters arrive twice
    idle: float = 100  # that an open connection is kept for the next letter; relays hang up after some minutes

    def with_step(self, awaited: Step | None) -> float:
        """How long its reply may take; for ever where none is awaited."""
        match awaited:
            case None:
                return math.inf
            case Step.COMMAND:
                return self.command
            case Step.DATA:
                return self.data
            case Step.VERDICT:
                return self.verdict
