"""The newsletters and consent wordings on offer, cached in the process so that a sign-up costs one statement."""

import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.consent.wordings import Wording
from newsletter.errors import NotFound
from newsletter.newsletters import Newsletter
from newsletter.store.database import Database

MAX_AGE = 5.0  # seconds after which newsletters and wordings are read again
MIN_AGE = 1.0  # seconds between two reads, however many unknown names are requested
MAX_OLDER_WORDINGS = 200  # kept in memory, of forms that were opened before a new wording was published


class OfferedNames(NamedTuple):
    """What a request names: newsletters by their slugs, and a wording by its id."""

    slugs: tuple[str, ...] = ()
    wording: int | None = None


@dataclass(frozen=True)
class OfferedNewsletters:
    """Newsletters by slug and wordings by id, as last read. The rows are detached: read them only."""

    newsletters: Mapping[str, Newsletter]
    current_wordings: Mapping[int, Wording]  # the newest of each newsletter and language
    older_wordings: Mapping[int, Wording] = field(default_factory=dict)  # those that forms have named
    can_reach_utf8: bool = True  # whether a relay may take an address whose local part is outside ASCII
    answers: dict[tuple[int, ...], bytes] = field(default_factory=dict)  # rendered from these rows, by newsletters' ids

    def newsletter(self, slug: str) -> Newsletter:
        """Return the newsletter with that slug. Raises NotFound."""
        if slug in self.newsletters:
            return self.newsletters[slug]
        raise NotFound(f"There is no newsletter “{slug}” here.")

    def current(self, newsletter: Newsletter) -> Wording:
        """Return the wording that a form for this newsletter shows. Raises NotFound if none is published yet."""
        mine = [w for w in self.current_wordings.values() if w.newsletter_id == newsletter.id]
        if mine:
            return max(mine, key=lambda wording: (wording.language == newsletter.language, wording.version))
        raise NotFound(f"The consent wording of “{newsletter.slug}” is not published yet.")

    def wording(self, number: int | None) -> Wording | None:
        """Return the wording with that id, of any version; None if it is unknown."""
        if number is None:
            return None
        return self.current_wordings.get(number) or self.older_wordings.get(number)

    def has(self, names: OfferedNames) -> bool:
        """Whether it contains all that a request names."""
        has_wording = names.wording is None or self.wording(names.wording) is not None
        return has_wording and all(slug in self.newsletters for slug in names.slugs)

    def is_older(self, wording: int) -> bool:
        """Whether a wording that is not current may exist: its id is below that of a current one."""
        return wording < max(self.current_wordings, default=0)


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
        self._older: dict[int, Wording] = {}
        self._read_at = -math.inf

    def fresh(self, names: OfferedNames = OfferedNames()) -> OfferedNewsletters | None:  # noqa: B008 - it is immutable
        """Return the offered newsletters if they are young enough and contain all names; None if `get` has to read."""
        offered, read_at = self._offered, self._read_at
        return offered if self._monotonic() - read_at < MAX_AGE and offered.has(names) else None

    def get(self, names: OfferedNames = OfferedNames()) -> OfferedNewsletters:  # noqa: B008 - it is immutable
        """Return the offered newsletters. Names that are not among them cause at most one read per MIN_AGE.

        An older wording is read when a form names it.
        """
        with self._lock:
            age = self._monotonic() - self._read_at
            if age >= MAX_AGE or (age >= MIN_AGE and not self._offered.has(names) and not self._is_older(names)):
                with self._database.reading() as session:
                    self._offered = _read(session, self._older, can_reach_utf8=self._can_reach_utf8(session))
                self._read_at = self._monotonic()
            if self._is_older(names):
                self._add_older(names.wording)
            return self._offered

    def known(self) -> Mapping[str, Newsletter]:
        """Return the newsletters by slug for a page that does without them while the database is away."""
        if not self.fresh():
            with suppress(SQLAlchemyError):
                self.get()
        return self._offered.newsletters

    def _is_older(self, names: OfferedNames) -> bool:
        number = names.wording
        return number is not None and not self._offered.wording(number) and self._offered.is_older(number)

    def _add_older(self, number: int | None) -> None:
        with self._database.reading() as session:
            wording = session.get(Wording, number)
        if wording:
            if len(self._older) >= MAX_OLDER_WORDINGS:
                del self._older[next(iter(self._older))]
            self._older[wording.id] = wording


def _read(session: Session, older: Mapping[int, Wording], *, can_reach_utf8: bool) -> OfferedNewsletters:
    offered = {newsletter.slug: newsletter for newsletter in newsletters.every(session)}
    series = Wording.newsletter_id, Wording.language
    newest = select(*series, func.max(Wording.version).label("version")).group_by(*series).subquery()
    rows = session.scalars(
        select(Wording).join(
            newest,
            (Wording.newsletter_id == newest.c.newsletter_id)
            & (Wording.language == newest.c.language)
            & (Wording.version == newest.c.version),
        )
    )
    return OfferedNewsletters(offered, {wording.id: wording for wording in rows}, older, can_reach_utf8)
