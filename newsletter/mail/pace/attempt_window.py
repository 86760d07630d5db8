"""Marks: what an attempt came to, as one letter, so that the last few hundred of all carriers are a short string."""

from typing import NamedTuple

from newsletter.mail.transport import replies
from newsletter.mail.transport.replies import Cause
from newsletter.mail.transport.transport import Outcome, Reply, Result

WINDOW = 200  # attempts that are looked at, the newest

TAKEN = "t"
GONE = "g"  # refused for good, because of the recipient
REFUSED = "r"  # refused for good, because of us: policy, content, our own bug
SLOWER = "s"  # not now: policy, such as 450 4.7.1
CLOSED = "c"  # 421: the relay asks everybody to come back later (RFC 5321 section 3.8)
LATER = "l"  # not now, and nobody but this reader is meant
AGAINST_US = REFUSED + SLOWER + CLOSED
OF_NO_PERSON = "too many errors"  # how a relay ends a connection after many refusals in a row: no word about pace


def code_of(report: Result) -> str:
    """One letter; empty for what tells nothing of relay or reader, such as a letter that was never begun."""
    return of(report.outcome, report.reply)


def of(outcome: Outcome, reply: Reply | None) -> str:
    """The same, of a reply and what it means for the letter."""
    if outcome is Outcome.TAKEN:
        return TAKEN
    if reply is None or reply.code is None or outcome not in (Outcome.REFUSED, Outcome.LATER):
        return ""
    if outcome is Outcome.REFUSED:
        return GONE
    if replies.cause(reply) is Cause.RECIPIENT_TRANSIENT or OF_NO_PERSON in reply.text.lower():
        return LATER
    if reply.code >= 500:
        return REFUSED
    return CLOSED if reply.code == 421 else SLOWER


class AttemptWindow(NamedTuple):
    """The last attempts, counted."""

    seen: int
    gone: int
    refused: int  # for good, because of us
    against_us: int  # for good or for now

    @classmethod
    def of(cls, marks: str) -> "AttemptWindow":
        """At most the newest `WINDOW` of them."""
        last = marks[-WINDOW:]
        count = last.count
        against_us = sum(map(count, AGAINST_US))
        return cls(len(last), count(GONE), count(REFUSED), against_us)
