"""The links in letters: confirm, unsubscribe, preferences, never."""

import pytest

from newsletter import addresses
from newsletter.consent.ledger import Event, LedgerEntry
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
from newsletter.doctor import examination
from newsletter.links import Purpose
from newsletter.queues.wakeups import Queue
from tests.whole_service import WholeService

ANA = "ana@example.org"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture(autouse=True)
def _newsletter(stage: WholeService):
    stage.newsletter()


def confirmation_letter(stage: WholeService, email: str = ANA):
    """Sign up, and return the confirmation letter."""
    stage.sign_up(email)
    stage.run(Queue.URGENT)
    return stage.letters(to=email)[-1]


def standings(stage: WholeService) -> dict[str, Standing]:
    with stage.site.database.reading() as session:
        rows = session.query(Subscriber.address, Subscription.standing).join(
            Subscription, Subscription.subscriber_id == Subscriber.id
        )
        return dict(rows.all())


def events(stage: WholeService) -> list[Event]:
    with stage.site.database.reading() as session:
        assert not examination.examine(session)
        return [entry.event for entry in session.query(LedgerEntry).order_by(LedgerEntry.id)]


def test_no_link_of_any_letter_changes_anything_when_it_is_fetched(stage):
    letters = [confirmation_letter(stage, "waiting@example.org"), stage.reader(ANA)]
    before = stage.rows()
    for letter in letters:
        links = stage.links(letter)
        assert len(links) >= 3
        for link in links * 3:
            assert stage.browser.get(link).status_code == 200
            assert stage.browser.head(link).status_code == 200
    assert stage.rows() == before


def test_confirming_requires_the_button(stage):
    link = stage.link(confirmation_letter(stage), "confirm")
    page = stage.browser.get(link).text
    assert "I ask Example Press (1 Street, 00000 Town)" in page
    assert ANA not in page
    assert standings(stage) == {ANA: Standing.ASKED}
    assert "subscribed" in stage.browser.post(link, data={"confirm": "yes"}).text
    assert standings(stage) == {ANA: Standing.SUBSCRIBED}
    assert events(stage) == [Event.REQUESTED, Event.CONFIRMED]


def test_confirming_twice_is_no_error_and_adds_no_second_entry(stage):
    link = stage.link(confirmation_letter(stage), "confirm")
    for _ in range(3):
        assert stage.browser.post(link).status_code == 200
    assert events(stage) == [Event.REQUESTED, Event.CONFIRMED]
    assert stage.browser.get(link).status_code == 200


def test_the_link_to_confirm_works_for_72_hours(stage):
    link = stage.link(confirmation_letter(stage), "confirm")
    stage.clock.pass_(hours=71, minutes=59)
    assert stage.browser.get(link).status_code == 200
    stage.clock.pass_(minutes=1)
    assert stage.browser.get(link).status_code == 410
    assert stage.browser.post(link).status_code == 410
    assert standings(stage) == {ANA: Standing.ASKED}


def test_an_old_confirmation_link_does_not_resubscribe_a_reader_who_left(stage):
    letter = stage.reader(ANA)
    stage.browser.post(stage.link(letter, "u"), data=ONE_CLICK)
    link = stage.link(letter, "confirm")
    assert stage.browser.get(link).status_code == 410
    assert stage.browser.post(link).status_code == 410
    assert standings(stage) == {ANA: Standing.LEFT}


@pytest.mark.parametrize("encoding", ["urlencoded", "multipart"])
def test_one_click_unsubscribe_acts_at_once(stage, encoding):
    control = stage.reader("control@example.org")
    link = stage.link(stage.reader(ANA), "u")
    multipart = {"files": {name: (None, value) for name, value in ONE_CLICK.items()}}
    sent = {"data": ONE_CLICK} if encoding == "urlencoded" else multipart
    answer = stage.browser.post(link, **sent, follow_redirects=False)
    assert answer.status_code == 200
    assert not answer.history
    assert "set-cookie" not in answer.headers
    assert standings(stage) == {ANA: Standing.LEFT, "control@example.org": Standing.SUBSCRIBED}
    assert stage.browser.post(link, **sent).status_code == 200
    assert events(stage).count(Event.WITHDRAWN) == 1
    assert control


def test_the_button_on_the_page_unsubscribes_too(stage):
    link = stage.link(stage.reader(ANA), "u")
    page = stage.browser.get(link).text
    assert addresses.mask(ANA) in page
    assert ANA not in page
    assert stage.browser.post(link, data={"unsubscribe": "yes"}).status_code == 200
    assert standings(stage) == {ANA: Standing.LEFT}


@pytest.mark.parametrize("data", [{}, {"List-Unsubscribe": "Two-Clicks"}, {"unsubscribe": ""}])
def test_a_post_without_a_valid_choice_changes_nothing(stage, data):
    link = stage.link(stage.reader(ANA), "u")
    assert 400 <= stage.browser.post(link, data=data).status_code < 500
    assert standings(stage) == {ANA: Standing.SUBSCRIBED}


def test_unsubscribing_from_everything_stops_every_newsletter(stage):
    stage.newsletter("evening")
    letter = stage.reader(ANA)
    stage.reader(ANA, "evening")
    stage.browser.post(stage.link(letter, "u"), data={"unsubscribe": "yes", "all": "yes"})
    with stage.site.database.reading() as session:
        assert {row.standing for row in session.query(Subscription)} == {Standing.LEFT}


def test_an_unsubscribe_link_never_expires(stage):
    link = stage.link(stage.reader(ANA), "u")
    stage.clock.pass_(days=4000)
    assert stage.browser.post(link, data=ONE_CLICK).status_code == 200
    assert standings(stage) == {ANA: Standing.LEFT}


def test_preferences_stop_newsletters_that_are_no_longer_ticked(stage):
    stage.newsletter("evening")
    stage.reader(ANA)
    stage.reader(ANA, "evening")
    with stage.site.database.reading() as session:
        token = stage.site.links.token(Purpose.PREFERENCES, session.query(Subscriber.id).scalar())
    link = f"/preferences/{token}"
    assert "The Evening Letter" in stage.browser.get(link).text
    answer = stage.browser.post(link, data={"save": "yes", "newsletters": "morning"})
    assert "The Evening Letter stopped" in answer.text
    with stage.site.database.reading() as session:
        kept = session.query(Subscription.newsletter_id).filter(Subscription.standing == Standing.SUBSCRIBED).all()
        assert len(kept) == 1
    stage.browser.post(link, data={"save": "yes", "newsletters": ["morning", "evening"]})
    assert events(stage).count(Event.CONFIRMED) == 2, "a link in a letter may only reduce"
    stage.browser.post(link, data={"all": "yes"})
    assert events(stage).count(Event.WITHDRAWN) == 2


def test_after_never_no_letter_is_sent_whoever_signs_up(stage):
    never = stage.link(confirmation_letter(stage), "never")
    assert stage.browser.post(never, data={"never": "yes"}).status_code == 200
    assert standings(stage) == {ANA: Standing.LEFT}
    stage.clock.pass_(days=2)
    for spelling in (ANA, "Ana@Example.org"):
        assert stage.sign_up(spelling).status_code == 202
    stage.run()
    assert len(stage.letters()) == 1, "the one that held the link"
    assert stage.browser.get(never).status_code == 200
    assert events(stage) == [Event.REQUESTED, Event.WITHDRAWN, Event.REFUSED]


def test_a_hundred_sign_ups_in_any_spelling_cause_one_letter_a_day(stage):
    for number in range(100):
        assert (
            stage.sign_up(["ana@example.org", "ANA@example.org", "ana+tag@example.org"][number % 3]).status_code == 202
        )
    stage.run()
    assert len(stage.letters()) == 1
    stage.clock.pass_(days=1)
    stage.sign_up(ANA)
    stage.run()
    assert len(stage.letters()) == 2


def test_a_subscribed_reader_gets_no_second_letter(stage):
    stage.reader(ANA)
    stage.clock.pass_(days=1)
    stage.sign_up(ANA)
    stage.run()
    assert len(stage.letters()) == 1


def test_incomplete_changed_or_misused_links_change_nothing(stage):
    letter = stage.reader(ANA)
    stage.sign_up("open@example.org")
    stage.run(Queue.URGENT)
    before = stage.rows()
    tokens = {path: stage.link(letter, path).rpartition("/")[2] for path in ("confirm", "never", "u")}
    wrong = [
        *(f"/{path}/{token[:-1]}" for path, token in tokens.items()),
        *(f"/{path}/{token[:-1]}{'A' if token[-1] != 'A' else 'Q'}" for path, token in tokens.items()),
        *(f"/{path}/{token.replace('k1.', 'k2.')}" for path, token in tokens.items()),
        *(f"/{path}/{tokens[other]}" for path in tokens for other in tokens if path != other),
        "/preferences/" + tokens["u"],
        "/u/" + "A" * 5000,
        "/u/k1.",
        "/u/%00",
        "/confirm/k1.ÄÄÄ",
    ]
    for link in wrong:
        for answer in (stage.browser.get(link), stage.browser.post(link, data={**ONE_CLICK, "save": "yes"})):
            assert 400 <= answer.status_code < 500, link
            assert "<h1>" in answer.text
    assert stage.rows() == before


def test_pages_behind_links_are_private(stage):
    for link in stage.links(confirmation_letter(stage)):
        headers = stage.browser.get(link).headers
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        if not link.startswith(("/n/", "/archive")):
            assert headers["cache-control"] == "no-store"
            assert "noindex" in headers["x-robots-tag"]


def test_the_sign_up_page_cannot_be_framed(stage):
    assert "frame-ancestors 'none'" in stage.browser.get("/").headers["content-security-policy"]
