"""Choose the articles of an issue. Pure: the caller offers only articles that no issue has."""

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
    """Return the newest of the offered articles, at most `limit`, newest first."""
    return sorted(offered, key=lambda candidate: (candidate.published_at, candidate.id), reverse=True)[:limit]
