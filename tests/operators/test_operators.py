"""Operators: unique by address, each with a role, and named by id in the audit log."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.audit_log import AuditEntry
from newsletter.errors import Malformed, NotFound, Refused
from newsletter.operators import grants, operator_links, operators
from newsletter.operators.grants import Grant, Grants
from newsletter.operators.operator_links import LIFETIME, LinkPurpose, LinkState, OperatorLink
from newsletter.operators.roles import Role
from tests.builders import a_newsletter
from tests.clock import NOON

BY = {"actor": "cli:ana", "now": NOON}


def test_an_address_has_one_operator_in_any_spelling(begin):
    with begin() as session:
        eve = operators.add(session, "Eve@Bücher.example", role=Role.EDITOR, **BY)
        for spelling in ("eve@bücher.example", " EVE@xn--bcher-kva.example "):
            assert operators.of_address(session, spelling) is eve
            with pytest.raises(Malformed):
                operators.add(session, spelling, role=Role.ADMIN, **BY)
        operators.add(session, "eva@bücher.example", role=Role.ADMIN, **BY)
        assert [each.role for each in operators.every(session)] == [Role.EDITOR, Role.ADMIN]


@pytest.mark.parametrize("address", ["", "eve", "eve@localhost", "Eve <eve@press.example>"])
def test_an_invalid_address_is_refused(begin, address):
    with pytest.raises(Malformed), begin() as session:
        operators.add(session, address, role=Role.VIEWER, **BY)


def test_an_unknown_operator_is_not_found(begin):
    with pytest.raises(NotFound), begin() as session:
        operators.of_address(session, "eve@press.example")


def test_changes_of_operators_are_recorded_without_the_address(begin, reading):
    with begin() as session:
        operators.add(session, "ana@press.example", role=Role.ADMIN, **BY)
        morning = a_newsletter(session)
        eve = operators.add(session, "eve@press.example", role=Role.VIEWER, newsletters=[morning], **BY)
        for _ in range(2):
            operators.grant(session, eve, Role.PUBLISHER, newsletter=morning, **BY)
            operators.grant(session, eve, Role.EDITOR, newsletter=None, **BY)
            operators.revoke(session, eve, newsletter=morning, **BY)
        operators.remove(session, eve, **BY)
        again = operators.add(session, "eve@press.example", role=Role.VIEWER, **BY)
    assert again.id != eve.id
    with reading() as session:
        about_eve = select(AuditEntry).where(AuditEntry.subject == f"operator:{eve.id}").order_by(AuditEntry.id)
        entries = [(entry.verb, entry.fields) for entry in session.scalars(about_eve)]
    changed, slug = "operator's role changed", {"newsletter": "morning"}
    assert entries == [
        ("operator added", {"role": "viewer", "newsletters": ["morning"]}),
        (changed, {"role": "publisher", "before": "viewer", **slug}),
        (changed, {"role": "editor"}),
        (changed, {"before": "publisher", **slug}),
        (changed, {"role": "publisher", **slug}),
        (changed, {"before": "publisher", **slug}),
        ("operator removed", {}),
    ]


def test_an_operator_has_the_higher_of_a_newsletters_role_and_the_role_for_all(begin):
    with begin() as session:
        morning, evening = a_newsletter(session), a_newsletter(session, "evening")
        eve = operators.add(session, "eve@press.example", role=Role.EDITOR, newsletters=[morning], **BY)
        operators.grant(session, eve, Role.VIEWER, newsletter=None, **BY)
        rows = select(Grant.newsletter_id, Grant.role).where(Grant.operator_id == eve.id)
        held = Grants.of((number, role) for number, role in session.execute(rows))
    assert [held.may(Role.EDITOR, each) for each in (morning.id, evening.id, None)] == [True, False, False]
    assert [held.may(Role.VIEWER, each) for each in (morning.id, evening.id, None)] == [True, True, True]


def test_an_operator_of_no_newsletter_cannot_be_added(begin):
    with pytest.raises(Malformed, match="at least one"), begin() as session:
        operators.add(session, "eve@press.example", role=Role.EDITOR, newsletters=[], **BY)


LEAVING: dict[str, Callable[..., None]] = {
    "removed": operators.remove,
    "demoted": lambda session, who, **by: operators.grant(session, who, Role.EDITOR, newsletter=None, **by),
    "revoked": lambda session, who, **by: operators.revoke(session, who, newsletter=None, **by),
}


@pytest.mark.parametrize("leave", LEAVING)
def test_the_last_administrator_of_all_newsletters_stays(begin, leave):
    with begin() as session:
        ana, eve = (operators.add(session, f"{name}@press.example", role=Role.ADMIN, **BY) for name in ("ana", "eve"))
        operators.add(session, "bob@press.example", role=Role.ADMIN, newsletters=[a_newsletter(session)], **BY)
        operators.add(session, "cid@press.example", role=Role.PUBLISHER, **BY)
        LEAVING[leave](session, ana, **BY)
        with pytest.raises(Refused, match="last administrator"):
            LEAVING[leave](session, eve, **BY)
        assert [each.role for each in grants.named(session, eve.id)[eve.id]] == [Role.ADMIN]


def test_of_the_last_two_administrators_who_leave_at_the_same_time_one_stays(begin, reading):
    with begin() as session:
        both = [operators.add(session, f"{name}@press.example", role=Role.ADMIN, **BY).id for name in ("ana", "eve")]
    ready = Barrier(2)

    def leave(number: int) -> bool:
        ready.wait()
        try:
            with begin() as session:
                operators.remove(session, operators.numbered(session, number, for_change=True), **BY)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(leave, both)) == [False, True]
    with reading() as session:
        assert len(operators.every(session)) == 1


def test_a_link_works_once_for_24_hours_and_a_newer_one_replaces_it(begin):
    with begin() as session:
        eve = operators.add(session, "eve@press.example", role=Role.ADMIN, **BY)
        first, second, other = (
            operator_links.make(session, eve, purpose, **BY)
            for purpose in (LinkPurpose.INVITATION, LinkPurpose.INVITATION, LinkPurpose.RESET)
        )
        session.expire_all()
        assert states(session, first, second, other) == [LinkState.REPLACED, LinkState.OPEN, LinkState.OPEN]
        assert [operator_links.consume(session, each.id, now=NOON) for each in (first, second, second)] == [
            False,
            True,
            False,
        ]
        assert not operator_links.consume(session, other.id, now=NOON + LIFETIME)
        session.expire_all()
        assert states(session, second, other, now=NOON + LIFETIME) == [LinkState.USED, LinkState.EXPIRED]
        operator_links.close(session, eve.id, now=NOON)
        assert not operator_links.consume(session, other.id, now=NOON)


def test_of_two_presses_at_the_same_time_one_uses_the_link(begin):
    with begin() as session:
        eve = operators.add(session, "eve@press.example", role=Role.ADMIN, **BY)
        link = operator_links.make(session, eve, LinkPurpose.INVITATION, **BY)
    ready = Barrier(2)

    def press(_: int) -> bool:
        ready.wait()
        with begin() as session:
            return operator_links.consume(session, link.id, now=NOON)

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(press, range(2))) == [False, True]


def states(session: Session, *links: OperatorLink, now: datetime = NOON) -> list[LinkState]:
    return [operator_links.state(session, each, now=now) for each in links]
