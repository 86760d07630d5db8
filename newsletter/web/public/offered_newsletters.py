"""The newsletters and consent wordings on offer, cached in the process so that a sign-up costs one statement."""

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.consent.wordings import Wording
from newsletter.errors import NotFound
from newsletter.newsletters import Newsletter
from newsletter.store.database import Database

MAX_AGE = 5.0  # seconds after which newsletters and wordings are read again
MIN_AGE = 1.0  # seconds between two reads, however many unknown names are requested


@dataclass(frozen=True)
class OfferedNewsletters:
    """Newsletters by slug and wordings by id, as last read. The rows are detached: read them only."""

    newsletters: Mapping[str, Newsletter]
    wordings: Mapping[int, Wording]
    can_reach_utf8: bool = True  # whether a relay may take an address whose local part is outside ASCII

    def newsletter(self, slug: str) -> Newsletter:
        """Return the newsletter with that slug. Raises NotFound."""
        if slug in self.newsletters:
            return self.newsletters[slug]
        raise NotFound(f"There is no newsletter “{slug}” here.")

    def current(self, newsletter: Newsletter) -> Wording:
        """Return the wording that a form for this newsletter shows. Raises NotFound if none is published yet."""
        mine = [w for w in self.wordings.values() if w.newsletter_id == newsletter.id]
        if mine:
            return max(mine, key=lambda wording: (wording.language == newsletter.language, wording.version))
        raise NotFound(f"The consent wording of “{newsletter.slug}” is not published yet.")

    def has(self, slugs: frozenset[str], wording: int | None) -> bool:
        """Whether it contains all these newsletters, and this wording if one is given."""
        return slugs <= self.newsletters.keys() and (wording is None or wording in self.wordings)


class OfferedNewslettersCache:
    """Reads the offered newsletters again when they are older than MAX_AGE or lack a requested one."""

    def __init__(
        self,
        database: Database,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        can_reach_utf8: Callable[[Session], bool] = lambda _: True,
    ) -> None:
        self._database = database
        self._can_reach_utf8 = can_reach_utf8
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._offered = OfferedNewsletters({}, {})
        self._read_at = -math.inf

    def get(self, *, slugs: frozenset[str] = frozenset(), wording: int | None = None) -> OfferedNewsletters:
        """Return the offered newsletters. Names that are not among them cause at most one read per MIN_AGE."""
        with self._lock:
            age = self._monotonic() - self._read_at
            if age >= MAX_AGE or (age >= MIN_AGE and not self._offered.has(slugs, wording)):
                with self._database.reading() as session:
                    self._offered = _read(session, can_reach_utf8=self._can_reach_utf8(session))
                self._read_at = self._monotonic()
            return self._offered


def _read(session: Session, *, can_reach_utf8: bool) -> OfferedNewsletters:
    return OfferedNewsletters(
        newsletters={newsletter.slug: newsletter for newsletter in newsletters.every(session)},
        wordings={wording.id: wording for wording in session.scalars(select(Wording))},
        can_reach_utf8=can_reach_utf8,
    )
