"""Sign-ups: one INSERT per form, one worker per sign-up, one confirmation letter per inbox and day."""

from contextlib import closing
from datetime import timedelta

from sqlalchemy import select

from newsletter import addresses
from newsletter.consent.signups import signups
from newsletter.consent.signups.signups import FORM_COLUMNS, Signup, SignupState
from newsletter.consent.wordings.wordings import Wording
from newsletter.store.grouped_inserts import GroupedInserts
from tests.builders import KEYRING, a_newsletter, a_signup
from tests.clock import NOON
from tests.statements import executed
from tests.waiting import TIMEOUT


def receive(session, newsletter, address: str) -> None:
    wording = session.scalars(select(Wording).where(Wording.newsletter_id == newsletter.id)).one()
    parsed = addresses.parse(address)
    signups.receive(
        session,
        address=parsed,
        fold_key=addresses.fold(KEYRING, parsed.key),
        newsletters=(newsletter.id,),
        wording_id=wording.id,
        form=wording.form_exhibit,
        evidence={"ip": "192.0.2.1"},
        now=NOON,
    )


def test_a_posted_form_is_stored_with_exactly_one_statement(database, begin, reading):
    with begin() as session:
        newsletter = a_newsletter(session)
        wording = session.scalars(select(Wording)).one()
        with executed(database) as statements:
            signups.receive(
                session,
                address=addresses.parse("Ana@example.org"),
                fold_key="k1:x",
                newsletters=[newsletter.id],
                wording_id=wording.id,
                form=wording.form_exhibit,
                evidence={"name": "Ana"},
                now=NOON,
            )
    assert len([statement for statement in statements if statement.startswith("INSERT")]) == len(statements) == 1
    with reading() as session:
        found = session.scalars(select(Signup)).one()
        assert (found.address, found.address_key) == ("Ana@example.org", "ana@example.org")
        assert (found.newsletters, found.evidence) == ([newsletter.id], {"name": "Ana"})
        assert (found.received_at, found.state) == (NOON, SignupState.RECEIVED)


def test_a_group_of_forms_is_stored_like_each_of_them_alone(database, begin, reading):
    with begin() as session:
        newsletter = a_newsletter(session)
        wording = session.scalars(select(Wording)).one()
    form = {
        "address": addresses.parse("Žofie+news@bücher.example"),
        "fold_key": "k1:x",
        "newsletters": [newsletter.id],
        "wording_id": wording.id,
        "form": wording.form_exhibit,
        "evidence": {"name": "O'Neill \\ “小雪” \U0001f4e8", "page": "https://example.org/?a=%00&b={}"},
        "now": NOON,
        "network_key": "network:k1:y",
    }
    with closing(GroupedInserts(database, Signup, FORM_COLUMNS)) as inserts:
        for future in [inserts.insert(signups.values(**form)) for _ in range(3)]:
            future.result(TIMEOUT)
    with begin() as session:
        signups.receive(session, **form)
    with reading() as session:
        compared = [column for column in Signup.__table__.columns if column.name not in ("id", "nonce")]
        rows = session.execute(select(*compared)).all()
        assert len(rows) == 4
        assert {str(row) for row in rows} == {str(rows[-1])}
        assert len(set(session.scalars(select(Signup.nonce)))) == 4


def test_no_two_sign_ups_have_the_same_nonce(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        for number in range(20):
            receive(session, newsletter, f"{number}@example.org")
        nonces = session.scalars(select(Signup.nonce)).all()
        assert len(set(nonces)) == 20
        assert max(nonces) > 2**56


def test_a_link_expires_after_exactly_72_hours(begin):
    with begin() as session:
        signup = a_signup(session, a_newsletter(session))
        assert not signups.expired(signup, now=NOON + timedelta(hours=71, minutes=59, seconds=59))
        assert signups.expired(signup, now=NOON + timedelta(hours=72))
