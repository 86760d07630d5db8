"""Pressure: how many confirmation letters were owed lately for one network, for one domain and overall.

The counts stand in the database and are written in the transaction that owes the letters, so nothing that is lost or
emptied beside it opens a limit. An hour is the current ten minutes and the six before, so that no sixty minutes have
more letters than the limit. A new secret key begins new counts.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple

from sqlalchemy import ARRAY, ColumnElement, Insert, Select, String, bindparam, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.consent.limits import mailbox_providers, networks
from newsletter.keys import Keyring, to_base64url
from newsletter.store import bulk_rows
from newsletter.store.database import ID_TYPE, Base, UtcDateTime, is_on_sqlite

DOMAIN = "domain"  # the purpose of its MACs, and what its keys begin with
OVERALL = "all"  # the key of all letters
LAPSED = "lapsed"  # the key of the letters that got no turn in the slow lane; they are in no other count
PROOF_FACTOR = 10  # how many times as many letters a host and a network may have that prove work for each
HOUR = timedelta(hours=1)
BUCKET_MINUTES = 10
LOCK_ID = int.from_bytes(b"pressure", "big") >> 1  # PostgreSQL's advisory locks have signed 64-bit numbers


class LetterCount(Base):
    """The letters owed for one key in the ten minutes from `since` on. A key is a keyed MAC, so it names nobody."""

    __tablename__ = "letter_counts"

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True, index=True)
    n: Mapped[int]


COUNTS = Base.metadata.tables[LetterCount.__tablename__]


class LetterLimits(NamedTuple):
    """How many confirmation letters may be owed in an hour."""

    host: int
    network: int
    domain: int
    overall: int

    def with_proof(self) -> "LetterLimits":
        """Return the limits of a letter for which somebody has proved work: more from the same host and network.

        The recipients' domain and the relays did not ask for it, so their limits stand.
        """
        return self._replace(host=self.host * PROOF_FACTOR, network=self.network * PROOF_FACTOR)


class LetterKeys(NamedTuple):
    """A letter that may be owed: the keys that it counts for; None where no limit applies."""

    host: str | None
    network: str | None
    domain: str | None
    overall: str = OVERALL


def letter_keys(keyring: Keyring, *, ip: str | None, address_key: str) -> LetterKeys:
    """Return what a letter to this address counts for, if a client with this IP address asked for it."""
    domain = address_key.rpartition("@")[2]
    if mailbox_providers.is_large(domain):
        return LetterKeys(*networks.keys(keyring, ip), None)
    mac = to_base64url(keyring.mac(DOMAIN, domain.encode()))
    return LetterKeys(*networks.keys(keyring, ip), f"{DOMAIN}:{keyring.newest}:{mac}")


@dataclass
class Room:
    """What the limits leave for further letters, counted in memory: see `room`."""

    counts: Counter[str]  # the letters of the hour, by key
    limits: LetterLimits
    now: datetime
    _taken: Counter[str] = field(default_factory=Counter)

    def has(self, letter: LetterKeys, *, has_proof: bool = False) -> bool:
        """Return whether a letter fits all its limits; `has_proof`: those of a letter with a proof of work."""
        limited = zip(letter, self.limits.with_proof() if has_proof else self.limits, strict=True)
        return all(self.counts[key] < limit for key, limit in limited if key is not None)

    def take(self, letter: LetterKeys, *, has_proof: bool = False) -> bool:
        """Count a letter if it fits all its limits, else count nothing; return whether it fits."""
        if not self.has(letter, has_proof=has_proof):
            return False
        keys = [key for key in letter if key is not None]
        self.counts.update(keys)
        self._taken.update(keys)
        return True

    def write(self, session: Session) -> None:
        """Add the letters taken to the stored counts, in one statement."""
        add(session, self._taken, now=self.now)
        self._taken = Counter()


def room(session: Session, letters: Sequence[LetterKeys], limits: LetterLimits, *, now: datetime) -> Room:
    """Return the room for these letters. Until this transaction ends, no other one gets any, so it is exact."""
    if not is_on_sqlite(session):  # there a transaction that writes is alone anyway
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK_ID})
    return glance(session, letters, limits, now=now)


def glance(session: Session, letters: Sequence[LetterKeys], limits: LetterLimits, *, now: datetime) -> Room:
    """Return the room for these letters, without a lock: other transactions may be about to take it."""
    keys = {key for each in letters for key in each if key is not None}
    return Room(count(session, keys, now=now), limits, now)


def count(session: Session, keys: Collection[str], *, now: datetime) -> Counter[str]:
    """Return the letters of the last hour, by key."""
    if not keys:
        return Counter()
    on_sqlite = is_on_sqlite(session)
    given = bulk_rows.encode({"key": key} for key in keys) if on_sqlite else sorted(keys)
    rows = session.execute(_counting(on_sqlite=on_sqlite), {"keys": given, **_hour(now)})
    return Counter({row.key: int(row.n) for row in rows})


def add(session: Session, counted: Counter[str], *, now: datetime) -> None:
    """Add to the stored counts. Transactions that add to several keys must hold the lock of `room`."""
    if counted:
        rows = bulk_rows.encode({"key": key, "n": n} for key, n in sorted(counted.items()))
        session.execute(_adding(on_sqlite=is_on_sqlite(session)), {"counted": rows, "since": _bucket(now)})


def full(session: Session, limits: LetterLimits, *, now: datetime) -> dict[str, int]:
    """Return how many hosts, networks and domains are at their limit. It reads all counts of the hour."""
    hour = _hour(now)
    counts = select(LetterCount.key).where(LetterCount.since.between(hour["earliest"], hour["latest"]))
    at_limit = {}
    for kind, limit in ((networks.HOST, limits.host), (networks.NETWORK, limits.network), (DOMAIN, limits.domain)):
        keys = counts.where(LetterCount.key.startswith(f"{kind}:"))
        reached = keys.group_by(LetterCount.key).having(func.sum(LetterCount.n) >= limit).subquery()
        at_limit[kind] = session.scalar(select(func.count()).select_from(reached)) or 0
    return at_limit


def _bucket(now: datetime) -> datetime:
    now = now.astimezone(UTC)
    return now.replace(minute=now.minute // BUCKET_MINUTES * BUCKET_MINUTES, second=0, microsecond=0)


def _hour(now: datetime) -> dict[str, datetime]:
    """Return the first and last bucket that count now; the clock of the worker that counted may be ahead of ours."""
    return {"earliest": _bucket(now) - HOUR, "latest": _bucket(now) + HOUR}


@cache
def _counting(*, on_sqlite: bool) -> Select[str, int]:
    is_given: ColumnElement[bool]
    if on_sqlite:
        is_given = LetterCount.key.in_(select(bulk_rows.table_of("keys", {"key": String()}, on_sqlite=True)))
    else:
        is_given = LetterCount.key == func.any(bindparam("keys", type_=ARRAY(String())))
    earliest, latest = (bindparam(name, type_=UtcDateTime()) for name in ("earliest", "latest"))
    # As a condition of the rows, the hour would let PostgreSQL read all counts of the hour by the index on `since`.
    of_the_hour = func.sum(LetterCount.n).filter(LetterCount.since.between(earliest, latest))
    counts = select(LetterCount.key, func.coalesce(of_the_hour, 0).label("n"))
    return counts.where(is_given).group_by(LetterCount.key)


@cache
def _adding(*, on_sqlite: bool) -> Insert:
    rows = bulk_rows.table_of("counted", {"key": String(), "n": ID_TYPE}, on_sqlite=on_sqlite)
    # Without a WHERE, SQLite's parser takes ON CONFLICT for the condition of a join.
    counted = select(rows.c.key, bindparam("since", type_=UtcDateTime()), rows.c.n).where(text("true"))
    insert = (sqlite if on_sqlite else postgresql).insert(COUNTS).from_select(["key", "since", "n"], counted)
    adding: Insert = insert.on_conflict_do_update(
        index_elements=["key", "since"], set_={"n": COUNTS.c.n + insert.excluded.n}
    )
    return adding
