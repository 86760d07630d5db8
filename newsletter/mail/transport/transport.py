"""Postmen: whoever carries letters away. One Protocol; the outbox and the SMTP postman answer to the same contract."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple, Protocol


class Outcome(StrEnum):
    """What became of a parcel."""

    TAKEN = "taken"  # the responsibility is theirs (RFC 5321 section 4.2.5)
    REFUSED = "refused"  # for good, and because of this recipient
    LATER = "later"  # not now: a transient reply, or a fault of ours or the relay's that is not the reader's
    IN_DOUBT = "in_doubt"  # all of it was sent, and no answer came
    UNTOUCHED = "untouched"  # nobody was told of it


class Reply(NamedTuple):
    """What the mail server said. It names no reader: addresses are replaced by `<address>`."""

    code: int | None  # RFC 5321 section 4.2; None: it said nothing, and `text` is our own account
    status: str | None  # RFC 3463, such as 5.1.1; None: the server gives no enhanced status codes
    text: str

    @property
    def words(self) -> str:
        """All of it in one line, as the server said it."""
        return " ".join(str(part) for part in self if part)


class Message(NamedTuple):
    """A delivery ready to carry."""

    delivery: int
    attempt: int
    sender: str  # the envelope's, RFC 5321 section 4.1.1.2
    recipient: str  # its domain as A-labels
    body: Sequence[bytes]  # the whole letter in pieces, CRLF, without dot-stuffing
    begin_by: float  # time.monotonic(): not begun by then, it goes back untouched


class Result(NamedTuple):
    """What became of one parcel, when."""

    delivery: int
    attempt: int
    outcome: Outcome
    reply: Reply | None
    at: datetime


class TransportProblem(NamedTuple):
    """Why no letter leaves at the moment."""

    about: str  # what cannot be used, such as "the relay mail.example.org:587"
    says: str  # why, in words for an operator; no reader's address, no secret
    lasting: bool  # it will not pass by itself: somebody has to mend it


class Transport(Protocol):
    """Carries parcels away."""

    def carry(
        self, messages: Iterator[Message | None], report: Callable[[Result], None], *, stop: Callable[[], bool]
    ) -> None:
        """Pull a parcel when a connection is free; exactly one Report for each pulled, before returning.

        Never raises for a letter. No parcel is pulled while `stop()` is true, and None says that there is none now:
        either ends it as soon as everything pulled is reported, but until then both may be asked again, for others need
        not wait for one letter's answer. Nobody who can take no letter pulls one, but for one at a time to know whether
        there is any, which goes back untouched: none is deferred or failed for that. What was not pulled is still the
        caller's. A parcel whose `begin_by` has passed before its recipient was named to anybody comes back UNTOUCHED.
        Letters arrive byte for byte as given. `messages` and `report` are used in the thread that called `carry`.
        """

    def trouble(self) -> TransportProblem | None:
        """Why nothing leaves, as far as is known; None where letters leave. May be asked from any thread."""

    def problems(self) -> Sequence[TransportProblem]:
        """What is wrong with any of its ways, also while letters leave by another. May be asked from any thread."""

    def close(self) -> None:
        """Give connections back. Nothing is carried afterwards."""


def clock() -> datetime:
    """The time that a postman writes on reports, unless it is given another."""
    return datetime.now(UTC)
