"""“Never write to this address” holds for the whole inbox, until its owner presses the button of an allowed letter."""

import pytest
from sqlalchemy import select

from newsletter.consent.decisions import operator_decisions
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.doctor import examination

PLAIN, TAGGED, OTHER = "ana@example.org", "ana+shop@example.org", "ana+news@example.org"


def says_never(service, address: str) -> str:
    """Sign this address up and press “never” in its letter; return the page before the button."""
    service.sign_up(address)
    service.run()
    link = service.link(service.letters(to=address)[-1], "never")
    page = service.browser.get(link).text
    assert service.browser.post(link, data={"never": "yes"}).status_code == 200
    return page


def standings(service) -> dict[str, Standing]:
    with service.site.database.reading() as session:
        rows = select(Subscriber.address, Subscription.standing).join(Subscription)
        return {row[0]: row[1] for row in session.execute(rows)}


def findings(service) -> list[object]:
    with service.site.database.reading() as session:
        return list(examination.examine(session, keyring=service.context.keyring))


def test_never_at_one_spelling_ends_the_others_and_no_spelling_gets_a_letter(service):
    service.newsletter()
    service.reader(OTHER)
    service.reader("anna@example.org")
    assert "holds for your whole inbox" in says_never(service, TAGGED)
    assert standings(service) == {
        OTHER: Standing.LEFT,
        TAGGED: Standing.LEFT,
        "anna@example.org": Standing.SUBSCRIBED,
    }
    sent = len(service.letters())
    service.clock.advance(days=2)
    for spelling in (PLAIN, TAGGED, OTHER, "ANA+again@example.org"):
        assert service.sign_up(spelling).status_code == 202
    service.run()
    assert len(service.letters()) == sent
    assert findings(service) == []


@pytest.mark.parametrize("hours", [1, 50])
def test_an_operator_may_allow_one_letter_and_only_its_button_lifts_never(service, hours):
    service.newsletter()
    service.reader(OTHER)
    says_never(service, TAGGED)
    service.clock.advance(hours=hours)
    with service.site.database.writing() as session:
        keyring, by = service.context.keyring, {"actor": "cli:eve", "now": service.clock()}
        operator_decisions.allow_letter(session, keyring, PLAIN, reason="called", **by)
    for _ in range(3):
        service.sign_up(PLAIN)
        service.run()
        service.clock.advance(hours=1)
    (letter,) = service.letters(to=PLAIN)
    assert standings(service)[PLAIN] is Standing.ASKED
    assert findings(service) == []
    assert service.browser.post(service.link(letter, "confirm"), data={"confirm": "yes"}).status_code == 200
    assert standings(service)[PLAIN] is Standing.SUBSCRIBED
    with service.site.database.reading() as session:
        rows = session.execute(select(Subscriber.address, Subscriber.suppressed))
        marks = {row[0]: row[1] for row in rows}
    assert marks == {PLAIN: None, OTHER: None, TAGGED: "never"}
    service.reader(OTHER)
    assert standings(service)[OTHER] is Standing.SUBSCRIBED
    assert findings(service) == []


def test_never_in_the_allowed_letter_ends_it_again(service):
    service.newsletter()
    says_never(service, PLAIN)
    with service.site.database.writing() as session:
        by = {"actor": "cli:eve", "now": service.clock()}
        operator_decisions.allow_letter(session, service.context.keyring, PLAIN, reason="called", **by)
    service.clock.advance(days=1)
    says_never(service, PLAIN)
    letters = len(service.letters())
    link = service.link(service.letters(to=PLAIN)[-1], "confirm")
    assert service.browser.post(link, data={"confirm": "yes"}).status_code == 410
    service.clock.advance(days=2)
    service.sign_up(PLAIN)
    service.run()
    assert len(service.letters()) == letters


def test_never_holds_again_after_it_was_lifted_also_by_the_link_that_said_it_first(service):
    service.newsletter()
    says_never(service, PLAIN)
    first = service.link(service.letters(to=PLAIN)[-1], "never")
    with service.site.database.writing() as session:
        by = {"actor": "cli:eve", "now": service.clock()}
        operator_decisions.allow_letter(session, service.context.keyring, PLAIN, reason="called", **by)
    service.clock.advance(hours=1)
    service.reader(PLAIN)
    assert standings(service) == {PLAIN: Standing.SUBSCRIBED}
    assert "Never write to this address again?" in service.browser.get(first).text
    assert "We will not write" in service.browser.post(first, data={"never": "yes"}).text
    assert standings(service) == {PLAIN: Standing.LEFT}
    assert "We will not write" in service.browser.get(first).text
    service.clock.advance(days=2)
    letters = len(service.letters())
    service.sign_up(PLAIN)
    service.run()
    assert len(service.letters()) == letters
    assert findings(service) == []
