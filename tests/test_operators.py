"""Operators: unique by address, each with a role, and named by id in the audit log."""

import pytest
from sqlalchemy import select

from newsletter.audit_log import AuditEntry
from newsletter.errors import Malformed, NotFound
from newsletter.operators import operators
from newsletter.operators.roles import Role
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
        eve = operators.add(session, "eve@press.example", role=Role.VIEWER, **BY)
        operators.assign(session, eve, Role.PUBLISHER, **BY)
        operators.assign(session, eve, Role.PUBLISHER, **BY)
        operators.remove(session, eve, **BY)
        again = operators.add(session, "eve@press.example", role=Role.VIEWER, **BY)
    assert again.id != eve.id
    with reading() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [(entry.verb, entry.subject, entry.fields) for entry in entries] == [
        ("operator added", f"operator:{eve.id}", {"role": "viewer"}),
        ("operator's role changed", f"operator:{eve.id}", {"role": "publisher", "before": "viewer"}),
        ("operator removed", f"operator:{eve.id}", {}),
        ("operator added", f"operator:{again.id}", {"role": "viewer"}),
    ]
