"""Selection: which articles an issue takes. Pure: what was taken before is not offered again."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Candidate:
    """An article that could go into an issue. Of two with the same date, the one with the higher id is newer."""

    id: int
    published_at: datetime
    title: str


def choose(offered: Iterable[Candidate], *, limit: int) -> list[Candidate]:
    """The newest of what is offered, at most `limit`, newest first."""
    return sorted(offered, key=lambda each: (each.published_at, each.id), reverse=True)[:limit]
