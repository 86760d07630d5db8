"""The judge: compares what the database says with what the relay saw."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from newsletter.mail.delivery.deliveries import OPEN, DeliveryStatus
from tests.chaos.relay_log import TAKEN, Arrival

SHOWN = 5  # of the errors of one kind
WITHIN = 2.0  # seconds after a reader's leaving was committed, in which MAIL FROM may still be written


@dataclass(frozen=True)
class Verdict:
    counts: Mapping[DeliveryStatus, int]
    lost: int  # said to be sent, but never seen by the relay; or not decided in the end
    doubled: int  # arrivals of a Message-ID beyond the first
    errors: Sequence[str]  # what must not be, however many were killed


class Judged(NamedTuple):
    """Letters that the relay took, by what is known of them."""

    by_id: Mapping[str, list[Arrival]]
    by_reader: Mapping[str, list[Arrival]]


def judge(owed: Mapping[str, DeliveryStatus], arrivals: Iterable[Arrival]) -> Verdict:
    """`owed` says by the reader's address where the letter to them stands."""
    taken = [arrival for arrival in arrivals if arrival.outcome == TAKEN]
    seen = Judged(_grouped(taken, "message_id"), _grouped(taken, "to"))
    undecided = sum(status in OPEN for status in owed.values())
    never_seen = sum(status is DeliveryStatus.SENT and reader not in seen.by_reader for reader, status in owed.items())
    return Verdict(
        counts=Counter(owed.values()),
        lost=undecided + never_seen,
        doubled=sum(len(same) - 1 for same in seen.by_id.values()),
        errors=[*_strangers(owed, taken), *_mixed_up(seen), *_untrue(owed, seen)],
    )


def _grouped(taken: Iterable[Arrival], field: str) -> dict[str, list[Arrival]]:
    groups = defaultdict(list)
    for arrival in taken:
        groups[getattr(arrival, field)].append(arrival)
    return dict(groups)


def _strangers(owed: Mapping[str, DeliveryStatus], taken: Sequence[Arrival]) -> list[str]:
    nameless = [one.recipient for one in taken if not one.message_id]
    unknown = [one.to for one in taken if one.to not in owed]
    misled = [f"the letter to {one.to} went to {one.recipient}" for one in taken if one.to != one.recipient]
    return [
        *_some("letters without a Message-ID", nameless),
        *_some("letters that nobody was owed", unknown),
        *_some("letters under another one's envelope", misled),
    ]


def _mixed_up(seen: Judged) -> list[str]:
    """A repeat is the same letter: the same bytes, the same envelope."""
    bodies = [name for name, same in seen.by_id.items() if len({one.digest for one in same}) > 1]
    names = [reader for reader, same in seen.by_reader.items() if len({one.message_id for one in same}) > 1]
    envelopes = [name for name, same in seen.by_id.items() if len({one.sender for one in same}) > 1]
    # Where senders are made for each letter (VERP), no two letters may share one.
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


def _untrue(owed: Mapping[str, DeliveryStatus], seen: Judged) -> list[str]:
    """What is said never to have left must not have arrived."""
    never_left = (DeliveryStatus.FAILED, DeliveryStatus.WITHHELD, DeliveryStatus.CANCELLED)
    return _some(
        "letters that arrived, though it is said that they did not",
        [
            f"{reader} ({status})"
            for reader, status in owed.items()
            if status in never_left and reader in seen.by_reader
        ],
    )


def late(left: Mapping[str, float], arrivals: Iterable[Arrival], *, within: float = WITHIN) -> list[str]:
    """Who was still written to: MAIL FROM came later than that after the moment at which they had left."""
    return _some(
        f"readers who were written to more than {within:g} s after they had left",
        [
            f"{one.recipient} (after {one.mail_at - left[one.recipient]:.2f} s)"
            for one in arrivals
            if one.recipient in left and one.mail_at > left[one.recipient] + within
        ],
    )


def _some(what: str, which: Sequence[str]) -> list[str]:
    if not which:
        return []
    more = f" and {len(which) - SHOWN} more" if len(which) > SHOWN else ""
    return [f"{len(which)} {what}: {', '.join(which[:SHOWN])}{more}"]
