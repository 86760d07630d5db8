"""Accounts at a provider: each names one operator, and an address serves once, with an open invitation."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.errors import NotFound, Refused
from newsletter.operators import identities, operator_links, operators
from newsletter.operators.identities import Identity
from newsletter.operators.openid.accounts import ProvidedAccount
from newsletter.operators.operator_links import LinkPurpose, OperatorLink
from newsletter.operators.roles import Role
from tests.clock import NOON

ANN = "ann@press.example"
ACCOUNT = ProvidedAccount("https://id.example", "7", ANN)


def invite(session, address: str = ANN) -> operators.Operator:
    operator = operators.add(session, address, role=Role.ADMIN, actor="tests", now=NOON)
    operator_links.make(session, operator, LinkPurpose.INVITATION, actor="tests", now=NOON)
    return operator


def test_an_open_invitation_links_its_address_once(begin):
    with begin() as session:
        ann = invite(session)
        assert identities.operator_of(session, ACCOUNT, now=NOON) is ann
        assert session.scalars(select(OperatorLink)).one().used_at == NOON
    with begin() as session:
        later = NOON + timedelta(days=400)
        assert identities.operator_of(session, ACCOUNT._replace(address=None), now=later).address == ANN
        with pytest.raises(Refused):
            identities.operator_of(session, ACCOUNT._replace(subject="8"), now=NOON)


@pytest.mark.parametrize("change", [{"issuer": "https://other.example"}, {"subject": "07"}])
def test_issuer_and_subject_together_name_an_account(begin, change):
    with begin() as session:
        invite(session)
        identities.operator_of(session, ACCOUNT, now=NOON)
        with pytest.raises(Refused):
            identities.operator_of(session, ACCOUNT._replace(**change), now=NOON)


def test_a_reset_links_nothing(begin):
    with begin() as session:
        operator = operators.add(session, ANN, role=Role.ADMIN, actor="tests", now=NOON)
        operator_links.make(session, operator, LinkPurpose.RESET, actor="tests", now=NOON)
        with pytest.raises(Refused):
            identities.operator_of(session, ACCOUNT, now=NOON)


def test_an_account_of_another_operator_is_neither_linked_nor_removed(begin):
    with begin() as session:
        ann, bob = invite(session), invite(session, "bob@press.example")
        assert identities.link(session, ann, ACCOUNT, now=NOON)
        assert not identities.link(session, ann, ACCOUNT, now=NOON)
        with pytest.raises(Refused, match="another operator"):
            identities.link(session, bob, ACCOUNT, now=NOON)
        (own,) = identities.of_operator(session, ann.id)
        with pytest.raises(NotFound):
            identities.unlink(session, bob, own.id, now=NOON)
        ann.password_hash = "set"
        identities.unlink(session, ann, own.id, now=NOON)
        assert identities.of_operator(session, ann.id) == []


def test_the_accounts_of_a_removed_operator_are_free(begin):
    with begin() as session:
        invite(session, "bob@press.example")
        identities.link(session, invite(session), ACCOUNT, now=NOON)
    with begin() as session:
        operators.remove(session, operators.of_address(session, ANN), actor="tests", now=NOON)
    with begin() as session:
        assert session.scalars(select(Identity)).all() == []
        assert identities.link(session, invite(session), ACCOUNT, now=NOON)
