"""Compare the deliveries in the database with the relay's log."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from newsletter.mail.delivery.deliveries import OPEN, DeliveryStatus
from tests.chaos.relay_log import TAKEN, Arrival

SHOWN = 5  # examples of one kind of error
UNSUBSCRIBE_SECONDS = 2.0  # after the commit of an unsubscribe in which MAIL FROM may still be written


@dataclass(frozen=True)
class Comparison:
    """The result of comparing deliveries and arrivals."""

    counts: Mapping[DeliveryStatus, int]
    lost: int  # recorded as sent but never seen by the relay, or without a final status
    doubled: int  # arrivals of a Message-ID after the first
    errors: Sequence[str]  # errors that no disturbance excuses


class AcceptedLetters(NamedTuple):
    """The letters that the relay accepted."""

    by_id: Mapping[str, list[Arrival]]
    by_reader: Mapping[str, list[Arrival]]


def compare(owed: Mapping[str, DeliveryStatus], arrivals: Iterable[Arrival]) -> Comparison:
    """Compare the relay's log with the status of each reader's delivery, by the reader's address."""
    accepted = [arrival for arrival in arrivals if arrival.outcome == TAKEN]
    seen = AcceptedLetters(_grouped(accepted, "message_id"), _grouped(accepted, "to"))
    not_final = sum(status in OPEN for status in owed.values())
    never_seen = sum(status is DeliveryStatus.SENT and reader not in seen.by_reader for reader, status in owed.items())
    return Comparison(
        counts=Counter(owed.values()),
        lost=not_final + never_seen,
        doubled=sum(len(same) - 1 for same in seen.by_id.values()),
        errors=[*_unexpected(owed, accepted), *_different_repeats(seen), *_arrived_though_not_sent(owed, seen)],
    )


def _grouped(accepted: Iterable[Arrival], field: str) -> dict[str, list[Arrival]]:
    groups = defaultdict(list)
    for arrival in accepted:
        groups[getattr(arrival, field)].append(arrival)
    return dict(groups)


def _unexpected(owed: Mapping[str, DeliveryStatus], accepted: Sequence[Arrival]) -> list[str]:
    without_id = [one.recipient for one in accepted if not one.message_id]
    unknown = [one.to for one in accepted if one.to not in owed]
    misdirected = [f"the letter to {one.to} went to {one.recipient}" for one in accepted if one.to != one.recipient]
    return [
        *_some("letters without a Message-ID", without_id),
        *_some("letters without a delivery", unknown),
        *_some("letters under another letter's envelope", misdirected),
    ]


def _different_repeats(seen: AcceptedLetters) -> list[str]:
    """Report repeats that are not the same letter: the same bytes under the same envelope."""
    bodies = [name for name, same in seen.by_id.items() if len({one.digest for one in same}) > 1]
    names = [reader for reader, same in seen.by_reader.items() if len({one.message_id for one in same}) > 1]
    envelopes = [name for name, same in seen.by_id.items() if len({one.sender for one in same}) > 1]
    # If each letter has its own sender (VERP), no two letters may share one.
    senders = {name: same[0].sender for name, same in seen.by_id.items()}
    shared = [sender for sender, number in Counter(senders.values()).items() if number > 1]
    return [
        *_some("repeats that were not the same bytes", bodies),
        *_some("readers with two different letters", names),
        *_some("repeats from another sender", envelopes),
        *_some(
            "senders of several letters, though others have their own", shared if len(set(senders.values())) > 1 else []
        ),
    ]


def _arrived_though_not_sent(owed: Mapping[str, DeliveryStatus], seen: AcceptedLetters) -> list[str]:
    not_sent = (DeliveryStatus.FAILED, DeliveryStatus.WITHHELD, DeliveryStatus.CANCELLED)
    return _some(
        "letters that arrived, though they are recorded as not sent",
        [f"{reader} ({status})" for reader, status in owed.items() if status in not_sent and reader in seen.by_reader],
    )


def late(left: Mapping[str, float], arrivals: Iterable[Arrival], *, within: float = UNSUBSCRIBE_SECONDS) -> list[str]:
    """Report letters whose MAIL FROM came more than `within` seconds after their reader's unsubscribe."""
    return _some(
        f"letters begun more than {within:g} s after their reader unsubscribed",
        [
            f"{one.recipient} (after {one.mail_at - left[one.recipient]:.2f} s)"
            for one in arrivals
            if one.recipient in left and one.mail_at > left[one.recipient] + within
        ],
    )


def _some(error: str, examples: Sequence[str]) -> list[str]:
    if not examples:
        return []
    more = f" and {len(examples) - SHOWN} more" if len(examples) > SHOWN else ""
    return [f"{len(examples)} {error}: {', '.join(examples[:SHOWN])}{more}"]
