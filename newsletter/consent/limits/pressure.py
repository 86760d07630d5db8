"""Pressure: how many confirmation letters were owed lately for one network, for one domain and overall."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.settings import Settings
from newsletter.store.database import Base

OVERALL = "all"


class LetterCount(Base):
    """The letters owed for one key in the ten minutes from `since` on. A key is a keyed MAC, so it names nobody."""

    __tablename__ = "letter_counts"

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True, index=True)
    n: Mapped[int]


class Limits(NamedTuple):
    """How many confirmation letters an hour may be owed."""

    per_host: int
    per_network: int
    per_domain: int
    per_hour: int


class Candidate(NamedTuple):
    """A letter that may be owed: the keys of its networks and its recipient's domain, None where no limit applies."""

    host: str | None
    network: str | None
    domain: str | None


class Room:
    """What the limits still allow, counted in memory."""

    def __init__(self, counts: dict[str, int], limits: Limits, since: datetime) -> None:
        self._counts, self._limits, self._since = counts, limits, since
        self._taken: Counter[str] = Counter()

    def take(self, candidate: Candidate) -> bool:
        keys = [key for key in candidate if key] + [OVERALL]
        limits = [limit for key, limit in zip(candidate, self._limits, strict=False) if key] + [self._limits.per_hour]
        if any(self._counts.get(key, 0) >= limit for key, limit in zip(keys, limits, strict=True)):
            return False
        for key in keys:
            self._counts[key] = self._counts.get(key, 0) + 1
            self._taken[key] += 1
        return True

    def write(self, session: Session) -> None:
        for key, n in sorted(self._taken.items()):
            known = session.get(LetterCount, (key, self._since))
            if known:
                known.n += n
            else:
                session.add(LetterCount(key=key, since=self._since, n=n))
        session.flush()


def room(session: Session, candidates: Sequence[Candidate], limits: Limits, *, now: datetime) -> Room:
    keys = {key for candidate in candidates for key in candidate if key} | {OVERALL}
    since = now.replace(minute=now.minute // 10 * 10, second=0, microsecond=0)
    rows = session.execute(
        select(LetterCount.key, LetterCount.n)
        .where(LetterCount.key.in_(keys), LetterCount.since > since - timedelta(hours=1, minutes=5))
        .order_by(LetterCount.key, LetterCount.since)
        .with_for_update()
    )
    counts: Counter[str] = Counter()
    for key, n in rows:
        counts[key] += n
    return Room(counts, limits, since)


def limits(settings: Settings) -> Limits:
    return Limits(
        settings.confirmations_per_host,
        settings.confirmations_per_network,
        settings.confirmations_per_domain,
        settings.confirmations_per_hour,
    )
