"""The attempt window: the last outcomes of all workers, one character each, so that hundreds are a short string."""

from typing import NamedTuple

from newsletter.mail.transport import replies
from newsletter.mail.transport.replies import RefusalCause
from newsletter.mail.transport.transport import Outcome, Reply

WINDOW = 200  # attempts that are counted, the newest

# Codes of outcomes. They are stored in Redis, so they stay the same between releases.
TAKEN = "t"
GONE = "g"  # refused permanently, because of the recipient
REFUSED = "r"  # refused permanently, because of us: policy, content, a bug of ours
SLOWER = "s"  # refused for now: policy, such as 450 4.7.1
REPLY_421 = "c"  # the relay closes the connection and takes no message for now (RFC 5321 section 3.8)
LATER = "l"  # refused for now, because of this recipient
AGAINST_US = REFUSED + SLOWER + REPLY_421
TOO_MANY_ERRORS = "too many errors"  # how a relay ends a connection after refusals in a row: not about the pace


def outcome_code(outcome: Outcome, reply: Reply | None) -> str:
    """Return the code of an attempt's outcome; empty if it says nothing about relay or recipient."""
    if outcome is Outcome.TAKEN:
        return TAKEN
    if reply is None or reply.code is None or outcome not in (Outcome.REFUSED, Outcome.LATER):
        return ""
    if outcome is Outcome.REFUSED:
        return GONE
    if replies.refusal_cause(reply) is RefusalCause.RECIPIENT_TRANSIENT or TOO_MANY_ERRORS in reply.text.lower():
        return LATER
    if reply.code >= 500:
        return REFUSED
    return REPLY_421 if reply.code == 421 else SLOWER


class AttemptWindow(NamedTuple):
    """The counts of the last attempts."""

    seen: int
    gone: int
    refused: int  # permanently, because of us
    against_us: int  # because of us, permanently or for now

    @classmethod
    def of(cls, codes: str) -> "AttemptWindow":
        """Count the newest `WINDOW` codes."""
        last = codes[-WINDOW:]
        count = last.count
        against_us = sum(map(count, AGAINST_US))
        return cls(len(last), count(GONE), count(REFUSED), against_us)
