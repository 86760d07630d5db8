"""A set of sign-ups is answered as if each were answered alone, in the order of the claim."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Row, Table, select
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Entry, Event
from newsletter.consent.limits.pressure import LetterLimits
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.subscribers import subscribers, suppressions
from newsletter.consent.subscribers.subscribers import Standing
from newsletter.consent.subscribers.suppressions import Reason
from newsletter.mail.mailings.confirmations.processing import COLUMNS
from newsletter.migrations.schema import metadata
from newsletter.newsletters import Newsletter
from newsletter.store.database import Begin
from tests.builders import KEYRING, a_newsletter, a_signup
from tests.clock import NOON
from tests.confirming import answering

# Three spellings of one inbox, and two people of another domain.
ADDRESSES = ("ana@gmail.com", "A.na@gmail.com", "ana+x@gmail.com", "bob@town.example", "eve@town.example")
CLIENTS = ("8.8.8.8", "8.8.8.9", "9.9.9.9", "10.0.0.1")  # two networks, and a private one
NEWSLETTERS = 2


class Posted(NamedTuple):
    """A form: indexes of newsletters, and whether the sign-up has waited in the slow lane."""

    address: str
    client: str
    newsletters: list[int]
    is_slow: bool


class Past(NamedTuple):
    """What happened to an address before: about the first newsletter, or at all."""

    address: str
    what: str


posted = st.builds(
    Posted,
    st.sampled_from(ADDRESSES),
    st.sampled_from(CLIENTS),
    st.lists(st.integers(0, NEWSLETTERS - 1), min_size=1, max_size=NEWSLETTERS, unique=True),
    st.sampled_from([False, False, True]),
)
past = st.builds(
    Past,
    st.sampled_from(ADDRESSES),
    st.sampled_from(["subscribed", "left", "never", "allowed", "asked 5 minutes ago", "asked 15 minutes ago"]),
)
limits = st.builds(LetterLimits, st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.integers(1, 8))


@settings(max_examples=16)
@given(st.lists(past, max_size=4, unique_by=lambda each: each.address), st.lists(posted, max_size=8), limits)
def test_a_set_equals_answering_one_by_one(begin, pasts, forms, limits):
    def all_at_once(session: Session, rows: list[Row[Any]], answer: Callable[..., None]) -> None:
        if rows:
            answer(session, rows, now=NOON)

    def one_by_one(session: Session, rows: list[Row[Any]], answer: Callable[..., None]) -> None:
        for row in rows:
            answer(session, [row], now=NOON)

    offered = existing(begin)
    in_a_set, alone = (tables_after(begin, offered, pasts, forms, limits, how) for how in (all_at_once, one_by_one))
    for name in in_a_set:
        assert in_a_set[name] == alone[name], name


def existing(begin: Begin) -> list[Newsletter]:
    """Return the newsletters, which all examples share."""
    with begin() as session:
        return newsletters.every(session) or [a_newsletter(session, f"letter{number}") for number in range(NEWSLETTERS)]


def tables_after(
    begin: Begin,
    offered: list[Newsletter],
    pasts: list[Past],
    forms: list[Posted],
    limits: LetterLimits,
    how: Callable[..., None],
) -> dict[str, list[Any]]:
    """Return all rows, without ids, after these forms were answered so; the database stays empty."""
    random = count(1)
    answers = answering(limits=limits, random_bytes=lambda size: next(random).to_bytes(size))
    tables: dict[str, list[Any]] = {}
    with begin() as session:
        for each in pasts:
            happen(session, offered[0], each, answers.answer)
        rows = [received(session, offered, form) for form in forms]
        how(session, rows, answers.answer)
        tables = contents(session)
        session.rollback()
    return tables


def received(session: Session, offered: list[Newsletter], form: Posted) -> Row[Any]:
    before = NOON - timedelta(hours=1)
    waits = {"state": SignupState.QUIET, "slow_lane_at": before, "received_at": before} if form.is_slow else {}
    evidence = {"ip": form.client, "name": "Ana"}
    columns = {"newsletters": [offered[number].id for number in form.newsletters], "evidence": evidence, **waits}
    return row_of(session, a_signup(session, offered[0], form.address, **columns))


def row_of(session: Session, signup: Signup) -> Row[Any]:
    return session.execute(select(*COLUMNS).where(Signup.id == signup.id)).one()


def happen(session: Session, newsletter: Newsletter, event: Past, answer: Callable[..., None]) -> None:
    if event.what in ("subscribed", "left"):
        read_before(session, newsletter, event.address, Standing(event.what))
    elif event.what.startswith("asked"):
        at = NOON - timedelta(minutes=int(event.what.split()[1]))
        answer(session, [row_of(session, a_signup(session, newsletter, event.address, received_at=at))], now=at)
    else:
        key = event.address.lower()
        suppressions.add(session, KEYRING, key, Reason.NEVER, now=NOON)
        if event.what == "allowed":
            suppressions.allow_letter(session, KEYRING, key, now=NOON)


def read_before(session: Session, newsletter: Newsletter, address: str, standing: Standing) -> None:
    """Add a reader with their entries, without any random value."""
    subject = address.encode().ljust(16)[:16]
    values = {"subject": subject, "address": address, "address_key": address.lower(), "created_at": NOON}
    reader = subscribers.create_all(session, [values])[address.lower()]
    events = [Event.REQUESTED, Event.CONFIRMED] + [Event.WITHDRAWN] * (standing == Standing.LEFT)
    ledger.append_all(
        session, [Entry(subject, event, newsletter.id, None, NOON, {}, None, bytes(32)) for event in events]
    )
    subscribers.set_standing(session, reader, newsletter.id, standing, now=NOON)


def contents(session: Session) -> dict[str, list[Any]]:
    """Return the rows of all tables; where a row names another one, that row's own values stand for its id."""
    session.flush()
    tables = {
        table.name: session.execute(select(table).order_by(*table.primary_key)).mappings().all()
        for table in metadata.sorted_tables
    }
    place = {row["id"]: position for position, row in enumerate(tables["signups"])}
    names: dict[str, dict[int, Any]] = {
        "signups": place,
        "subscribers": {row["id"]: row["address_key"] for row in tables["subscribers"]},
        "ledger": {row["id"]: (row["subject"], row["ordinal"]) for row in tables["ledger"]},
        "letters": {row["id"]: place.get(row["signup_id"]) for row in tables["letters"]},
        "variants": {row["id"]: row["sha256"] for row in tables["variants"]},
    }
    found = {
        table.name: [named(table, row, names) for row in tables[table.name]]
        for table in metadata.sorted_tables
        if table.name not in {"newsletters", "wordings", "acts"}
    }
    found["order of sending"] = [row["letter_id"] for row in found["deliveries"]]
    return {name: rows if "order" in name else sorted(rows, key=repr) for name, rows in found.items()}


def named(table: Table, row: Any, names: dict[str, dict[int, Any]]) -> dict[str, Any]:
    values = dict(row)
    for column in table.columns:
        for key in column.foreign_keys:
            if (target := key.column.table.name) in names and values[column.name] is not None:
                values[column.name] = names[target][values[column.name]]
    if str(values.get("occasion")).startswith("signup:"):
        values["occasion"] = names["signups"][int(values["occasion"].partition(":")[2])]
    return {name: value for name, value in values.items() if name not in {"id", "nonce"}}
