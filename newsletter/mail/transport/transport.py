"""The Transport protocol: how messages are handed to the outbox or to SMTP relays, and three words for what came of it.

- A `Reply` is the mail server's reply in its own words. Its `refusal_cause` (in `replies`) is whom a refusal is about.
- An `Outcome` is what one attempt came to: taken, refused, later, in doubt, or untouched.
- A `Result` is the record of one attempt: delivery, attempt, outcome, reply, and time.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple, Protocol


class Outcome(StrEnum):
    """What one attempt to send a message came to."""

    TAKEN = "taken"  # the server is responsible for it now (RFC 5321 section 4.2.5)
    REFUSED = "refused"  # permanently, because of this recipient
    LATER = "later"  # not now: a transient reply, or an error of ours or the relay's that is not the recipient's
    IN_DOUBT = "in_doubt"  # it may have arrived: all was sent and no reply came, or the last sync failed
    UNTOUCHED = "untouched"  # not sent at all


class Reply(NamedTuple):
    """A mail server's reply. It names no reader: addresses are replaced by `<address>`."""

    code: int | None  # RFC 5321 section 4.2; None: the server sent nothing, and `text` is our own description
    status: str | None  # RFC 3463, such as 5.1.1; None: the server sends no enhanced status codes
    text: str

    @property
    def line(self) -> str:
        """The whole reply on one line, as the server sent it."""
        return " ".join(str(part) for part in self if part)


class Message(NamedTuple):
    """A delivery that is ready to send."""

    delivery: int
    attempt: int
    sender: str  # of the envelope, RFC 5321 section 4.1.1.2
    recipient: str  # its domain as A-labels
    body: Sequence[bytes]  # the whole letter in segments, with CRLF, without dot stuffing
    begin_by: float  # time.monotonic(): a message not begun by then is reported untouched


class Result(NamedTuple):
    """The record of one attempt to send a delivery."""

    delivery: int
    attempt: int
    outcome: Outcome
    reply: Reply | None
    at: datetime


class TransportProblem(NamedTuple):
    """Why messages cannot be sent at present."""

    place: str  # what cannot be used, such as "the relay mail.example.org:587"
    reason: str  # for an operator; contains no reader's address and no secret
    lasting: bool  # it does not pass by itself: somebody has to fix it


class Transport(Protocol):
    """Sends messages."""

    def send(
        self, messages: Iterator[Message | None], report: Callable[[Result], None], *, stop: Callable[[], bool]
    ) -> None:
        """Take the next message whenever a connection is free, and report exactly one Result for each before returning.

        Never raises for a message. The call ends once everything taken is reported and either `stop()` is true or
        `messages` yields None, which means that none is due now. Until then both are asked again, because other
        messages need not wait for one reply. While `stop()` is true no message is taken. Messages that were not taken
        still belong to the caller.

        While no relay can be used, no message is taken, deferred or failed. The exception is a single message, taken to
        learn whether any is due; it is reported UNTOUCHED. So is a message whose `begin_by` passed before its recipient
        was named to a relay. Letters arrive byte for byte as given. `messages` and `report` are used in the thread that
        called `send`.
        """

    def blocking_problem(self) -> TransportProblem | None:
        """Return why no message can be sent at present; None if messages can be sent. Callable from any thread."""

    def problems(self) -> Sequence[TransportProblem]:
        """Return every known problem, also while messages leave over another relay. Callable from any thread."""

    def close(self) -> None:
        """Close all connections. Nothing is sent afterwards."""


def clock() -> datetime:
    """Return the time that a transport writes on its results, unless it is given another clock."""
    return datetime.now(UTC)
