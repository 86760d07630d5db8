"""The letters of an issue by status, as last counted: each letter is in exactly one place."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from newsletter.mail.delivery.deliveries import DeliveryStatus
from newsletter.mail.delivery.delivery_counts import DeliveryProgress
from newsletter.mail.letters.letters import Letter

# In the order of the table: the name, what it means, and the class of its part of the bar.
PLACES = (
    (DeliveryStatus.SENT, "Sent", "The server said yes, and we wrote it down.", "a"),
    (DeliveryStatus.CLAIMED, "Claimed", "In a worker’s hands now.", "f"),  # noqa: RUF001 - an apostrophe
    (DeliveryStatus.QUEUED, "Queued", "Waits for its turn.", "c"),
    (DeliveryStatus.IN_DOUBT, "In doubt", "The line broke after the last byte. It is tried once more.", "e"),
    (DeliveryStatus.FAILED, "Failed", "Their servers will never take them.", "d"),
    (DeliveryStatus.UNKNOWN, "Unknown", "May have arrived, and is not sent again.", "e"),
    (DeliveryStatus.WITHHELD, "Withheld", "Their readers left or paused before the letter did.", "b"),
    (DeliveryStatus.CANCELLED, "Cancelled", "Stopped by an operator.", "b"),
)
ALWAYS_SHOWN = (DeliveryStatus.SENT, DeliveryStatus.QUEUED, DeliveryStatus.FAILED)


@dataclass(frozen=True)
class DeliveryPlace:
    """How many letters have one status, and where its part of the bar begins and how wide it is, in per cent."""

    name: str
    meaning: str
    shape: str
    number: int
    share: float
    start: float


@dataclass(frozen=True)
class DeliveryTable:
    """What was counted, when, and whether it adds up to the letters that were written."""

    places: Sequence[DeliveryPlace]
    audience: int
    total: int
    sent: int
    to_go: int
    counted_at: datetime

    @property
    def adds_up(self) -> bool:
        """Whether every letter is in exactly one place."""
        return self.total == self.audience


def of(progress: DeliveryProgress | None, letter: Letter | None) -> DeliveryTable | None:
    """Return the table of an issue's letter; None before it was counted."""
    if progress is None or letter is None:
        return None
    total, places, start = progress.number(), [], 0.0
    for status, name, meaning, shape in PLACES:
        number = progress.number(status)
        share = 100 * number / total if total else 0.0
        if number or status in ALWAYS_SHOWN:
            places.append(DeliveryPlace(name, meaning, shape, number, share, start))
        start += share
    to_go = total - progress.decided
    sent = progress.number(DeliveryStatus.SENT)
    return DeliveryTable(places, letter.audience, total, sent, to_go, progress.counted_at)
