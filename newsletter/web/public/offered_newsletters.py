"""What can be signed up to, held in the process so that a sign-up costs one statement."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.consent.wordings import Wording
from newsletter.errors import NotFound
from newsletter.newsletters import Newsletter
from newsletter.store.database import Database

FRESH = 5.0  # seconds after which newsletters and wordings are read again


@dataclass(frozen=True)
class OfferedNewsletters:
    """Newsletters by slug and wordings by id, as they were a moment ago. Rows are detached: read them only."""

    newsletters: Mapping[str, Newsletter]
    wordings: Mapping[int, Wording]

    def newsletter(self, slug: str) -> Newsletter:
        """The newsletter of that slug. Raises NotFound."""
        if slug in self.newsletters:
            return self.newsletters[slug]
        raise NotFound(f"There is no newsletter “{slug}” here.")

    def current(self, newsletter: Newsletter) -> Wording:
        """The words that a form for this newsletter shows. Raises NotFound before they are published."""
        mine = [w for w in self.wordings.values() if w.newsletter_id == newsletter.id]
        if mine:
            return max(mine, key=lambda wording: (wording.language == newsletter.language, wording.version))
        raise NotFound(f"The consent wording of “{newsletter.slug}” is not published yet.")


class OfferedNewslettersCache:
    """Reads the offers again when they are older than five seconds, or somebody names one that is not among them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._offers = OfferedNewsletters({}, {})
        self._read_at = -FRESH

    def offers(self, *, slugs: frozenset[str] = frozenset(), wording: int | None = None) -> OfferedNewsletters:
        """The offers, read again if they lack what is named. Unknown names cost a read a second at most."""
        with self._lock:
            age = time.monotonic() - self._read_at
            known = slugs <= self._offers.newsletters.keys() and (wording is None or wording in self._offers.wordings)
            if age >= FRESH or (not known and age >= FRESH / 5):
                with self._database.reading() as session:
                    self._offers = _read(session)
                self._read_at = time.monotonic()
            return self._offers

    def forget(self) -> None:
        """Read the offers again at the next request."""
        with self._lock:
            self._read_at = -FRESH


def _read(session: Session) -> OfferedNewsletters:
    return OfferedNewsletters(
        newsletters={newsletter.slug: newsletter for newsletter in newsletters.every(session)},
        wordings={wording.id: wording for wording in session.scalars(select(Wording))},
    )
