"""What a link in a letter tells about preferences, and the page of all newsletters behind a freshly mailed link."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select, update

from newsletter import addresses, newsletters
from newsletter.consent.limits.tickets import Ticket
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.consent.subscribers.suppressions import Reason
from newsletter.doctor import counts, examination
from newsletter.links import FRESH_LIFETIME, Purpose
from newsletter.mail.delivery.deliveries import DeliveryStatus
from newsletter.mail.letters.letters import Letter, LetterKind
from newsletter.newsletters import Newsletter
from newsletter.queues.wakeups import Queue
from newsletter.templating import as_address
from tests.builders import a_reader
from tests.statements import executed
from tests.web.public.answers import without
from tests.whole_service import WholeService

ANA = "ana@example.org"
OTHERS = ("evening", "weekend")
NAMES = ("The Evening Letter", "The Weekend Letter")
ASK = {"link": "yes"}


@pytest.fixture(autouse=True)
def _reader_of_three(service: WholeService):
    """Ana reads two of three newsletters, and waits to confirm the third."""
    for slug in ("morning", *OTHERS):
        service.newsletter(slug)
    with service.site.database.writing() as session:
        for slug in ("morning", "evening"):
            a_reader(session, newsletters.named(session, slug), ANA)
    service.clock.advance(days=1)
    service.sign_up(ANA, "weekend")
    service.run(Queue.URGENT)
    service.clock.advance(days=1)


def letter_link(service: WholeService, slug: str | None = "morning") -> str:
    """Return the preferences link of an issue of this newsletter; None: of a letter of an older release."""
    with service.site.database.reading() as session:
        ids = [session.scalars(select(Subscriber.id).where(Subscriber.address_key == ANA)).one()]
        if slug:
            ids.append(session.scalars(select(Newsletter.id).where(Newsletter.slug == slug)).one())
    return f"/preferences/{service.site.links.token(Purpose.PREFERENCES, *ids)}"


def links_mailed(service: WholeService) -> list[str]:
    """Let the workers send, and return the fresh links that have come to Ana."""
    service.run(Queue.URGENT)
    letters = [one for one in service.letters(to=ANA) if one["Subject"] == "Your link to your newsletters"]
    return [service.link(one, "preferences") for one in letters]


def fresh_link(service: WholeService) -> str:
    assert service.browser.post(letter_link(service), data=ASK).status_code == 200
    return links_mailed(service)[-1]


def standings(service: WholeService) -> dict[str, Standing]:
    with service.site.database.reading() as session:
        assert not examination.examine(session)
        rows = session.query(Newsletter.slug, Subscription.standing).join(
            Subscription, Subscription.newsletter_id == Newsletter.id
        )
        return dict(rows.all())


BEFORE = {"morning": Standing.SUBSCRIBED, "evening": Standing.SUBSCRIBED, "weekend": Standing.ASKED}


@pytest.mark.parametrize("slug", ["morning", None])
@pytest.mark.parametrize("data", [None, ASK, {"all": "yes"}])
def test_nothing_behind_a_letters_link_names_another_newsletter_or_shows_the_address(service, slug, data):
    link = letter_link(service, slug)
    answer = service.browser.post(link, data=data) if data else service.browser.get(link)
    assert answer.status_code == 200
    assert not [name for name in NAMES if name in answer.text]
    assert not [slug for slug in OTHERS if f"/n/{slug}" in answer.text]
    assert without(ANA, answer) == answer.text
    assert ("The Morning Letter" in answer.text) == (slug is not None)


def test_the_answer_to_a_letters_link_is_the_same_whatever_else_the_address_gets(service):
    links = [letter_link(service), letter_link(service, None)]
    before = [service.browser.get(link).text for link in links]
    service.browser.post(fresh_link(service), data={"save": "yes", "newsletters": "morning"})
    assert standings(service) == BEFORE | {"evening": Standing.LEFT}
    assert [service.browser.get(link).text for link in links] == before


def test_an_issues_link_ends_its_newsletter(service):
    link = letter_link(service)
    assert "You get The Morning Letter" in service.browser.get(link).text
    assert "no letter of The Morning Letter" in service.browser.post(link, data={"leave": "yes"}).text
    assert standings(service) == BEFORE | {"morning": Standing.LEFT}
    assert "You do not get The Morning Letter any more" in service.browser.get(link).text
    assert service.browser.post(link, data={"leave": "yes"}).status_code == 200


@pytest.mark.parametrize("slug", ["morning", None])
def test_a_letters_link_ends_everything(service, slug):
    assert service.browser.post(letter_link(service, slug), data={"all": "yes"}).status_code == 200
    assert set(standings(service).values()) == {Standing.LEFT}


@pytest.mark.parametrize("slug", ["morning", None])
def test_no_other_post_to_a_letters_link_changes_anything(service, slug):
    before = service.rows()
    for data in ({}, {"x": "1"}, {"leave": ""}, {"save": "yes"}, {"save": "yes", "newsletters": "evening"}):
        answer = service.browser.post(letter_link(service, slug), data=data)
        assert answer.status_code in (410, 422), data
        assert "Unsubscribe from everything</button>" in answer.text, data
        assert not [name for name in NAMES if name in answer.text], data
    assert service.rows() == before


def test_a_post_without_a_button_of_the_page_of_all_newsletters_shows_the_page_again(service):
    link, before = fresh_link(service), service.rows()
    for data in ({}, {"x": "1"}, {"newsletters": "morning"}, {"leave": "yes"}):
        answer = service.browser.post(link, data=data)
        assert (answer.status_code, answer.text) == (422, service.browser.get(link).text), data
    assert service.rows() == before


def test_who_has_come_back_but_not_confirmed_is_told_so(service):
    link = letter_link(service, "weekend")
    assert "You have not confirmed The Weekend Letter yet" in service.browser.get(link).text
    service.browser.post(link, data={"leave": "yes"})
    assert standings(service) == BEFORE | {"weekend": Standing.LEFT}


def test_a_link_of_an_older_release_cannot_leave_one_newsletter(service):
    assert service.browser.post(letter_link(service, None), data={"leave": "yes"}).status_code == 422
    assert standings(service) == BEFORE


def test_a_fresh_link_comes_by_mail_and_shows_and_stops_all_newsletters(service):
    link = fresh_link(service)
    page = service.browser.get(link)
    shown = [box.attributes["value"] for box in LexborHTMLParser(page.text).css("input[name=newsletters]")]
    assert shown == ["morning", "evening"]
    assert as_address(addresses.mask(ANA)) in page.text
    assert without(ANA, page) == page.text
    answer = service.browser.post(link, data={"save": "yes", "newsletters": "morning"})
    assert "You no longer get The Evening Letter." in answer.text
    assert standings(service) == BEFORE | {"evening": Standing.LEFT}, "a request to confirm is not on the form"
    service.browser.post(link, data={"save": "yes", "newsletters": ["morning", "evening", "weekend"]})
    assert standings(service) == BEFORE | {"evening": Standing.LEFT}, "no link adds anything"
    service.browser.post(link, data={"all": "yes"})
    assert set(standings(service).values()) == {Standing.LEFT}
    assert "You get no newsletters" in service.browser.get(link).text


def test_fetching_a_fresh_link_changes_nothing(service):
    link = fresh_link(service)
    before = service.rows()
    for _ in range(3):
        assert service.browser.get(link).status_code == 200
    assert service.rows() == before


def test_a_fresh_link_works_for_its_hours_and_then_is_a_letters_link(service):
    link = fresh_link(service)
    service.clock.advance(seconds=FRESH_LIFETIME.total_seconds() - 60)
    assert "The Evening Letter" in service.browser.get(link).text
    service.clock.advance(minutes=1)
    for answer in (service.browser.get(link), service.browser.post(link, data={"save": "yes"})):
        assert answer.status_code == 410
        assert "This link has expired" in answer.text
        assert not [name for name in NAMES if name in answer.text]
    assert standings(service) == BEFORE
    assert service.browser.post(link, data=ASK).status_code == 200
    assert service.browser.get(links_mailed(service)[-1]).status_code == 200
    assert service.browser.post(link, data={"all": "yes"}).status_code == 200
    assert set(standings(service).values()) == {Standing.LEFT}


def test_asking_again_within_ten_minutes_mails_no_second_link(service):
    answers = [service.browser.post(letter_link(service), data=ASK).text for _ in range(3)]
    assert len(links_mailed(service)) == 1
    assert len(set(answers)) == 1


def test_at_most_three_letters_a_day_go_to_an_inbox_and_the_answer_is_the_same(service):
    answers = []
    for _ in range(6):
        answers.append(service.browser.post(letter_link(service), data=ASK).text)
        service.clock.advance(minutes=11)
    assert len(links_mailed(service)) == 3
    assert len(set(answers)) == 1
    service.clock.advance(days=1)
    service.browser.post(letter_link(service), data=ASK)
    assert len(links_mailed(service)) == 4


def test_a_link_counts_as_one_of_the_letters_of_its_inbox(service):
    fresh_link(service)
    with service.site.database.reading() as session:
        latest = session.scalars(select(Ticket).order_by(Ticket.taken_at.desc())).first()
        assert latest.occasion.startswith("link:")
        assert latest.taken_at == service.clock()


@pytest.mark.parametrize("state", ["suppressed", "left"])
def test_who_must_not_or_need_not_get_a_link_gets_none_and_the_answer_is_the_same(service, state):
    usual = service.browser.post(letter_link(service), data=ASK)
    service.run(Queue.URGENT)
    service.clock.advance(days=2)
    link = letter_link(service)
    if state == "left":
        service.browser.post(link, data={"all": "yes"})
    else:
        with service.site.database.writing() as session:
            session.execute(update(Subscriber).values(suppressed=Reason.COMPLAINED))
    answer = service.browser.post(link, data=ASK)
    assert (answer.status_code, answer.text) == (usual.status_code, usual.text)
    assert len(links_mailed(service)) == 1


def test_a_reader_who_leaves_before_the_letter_is_sent_gets_no_link(service):
    service.browser.post(letter_link(service), data=ASK)
    service.browser.post(letter_link(service), data={"all": "yes"})
    assert links_mailed(service) == []


def test_a_reader_who_pauses_gets_a_link(service):
    with service.site.database.writing() as session:
        session.execute(update(Subscription).values(paused_until=service.clock() + timedelta(days=9)))
    assert fresh_link(service)


def test_a_link_comes_from_a_newsletter_that_the_reader_still_gets(service):
    service.browser.post(letter_link(service), data={"leave": "yes"})
    assert service.browser.get(fresh_link(service)).status_code == 200
    assert service.letters(to=ANA)[-1]["List-Id"] == "<evening.press.example>"


def test_the_letter_is_urgent_and_counted_as_a_link(service):
    fresh_link(service)
    with service.site.database.reading() as session:
        letter = session.scalars(select(Letter).order_by(Letter.id.desc())).first()
        assert (letter.kind, letter.issue_id, letter.priority) == (LetterKind.ISSUE, None, 0)
        states = counts.count(session, now=service.clock()).letters.states
        assert states[LetterKind.LINK, DeliveryStatus.SENT] == 1
        assert states[LetterKind.ISSUE, DeliveryStatus.SENT] == 0
        assert not examination.examine(session)


def test_the_letter_with_the_link_names_no_newsletter_but_its_own(service):
    fresh_link(service)
    letter = service.letters(to=ANA)[-1]
    assert not [name for name in NAMES if name in letter.as_string()]
    assert service.browser.post(service.link(letter, "u"), data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert standings(service) == BEFORE | {"morning": Standing.LEFT}


def test_a_link_of_an_erased_reader_has_expired(service):
    links = [letter_link(service), letter_link(service, None), fresh_link(service)]
    with service.site.database.writing() as session:
        session.execute(update(Subscriber).values(address=None, address_key=None))
    for link in links:
        for data in (None, ASK, {"all": "yes"}, {"leave": "yes"}):
            answer = service.browser.post(link, data=data) if data else service.browser.get(link)
            assert answer.status_code == 410


def test_the_pages_cost_few_statements(service):
    def statements(path: str, data: dict[str, str] | None = None) -> int:
        with executed(service.site.database) as done:
            assert (service.browser.post(path, data=data) if data else service.browser.get(path)).status_code == 200
        return len(done)

    link, fresh = letter_link(service), fresh_link(service)
    if not service.site.database.is_sqlite:  # its readers have an engine of their own, and BEGIN is a statement
        assert (statements(link), statements(fresh)) == (1, 3)
        assert statements(fresh, {"save": "yes", "newsletters": ["morning", "evening"]}) == 5


def test_presses_at_the_same_time_mail_one_link(service):
    link = letter_link(service)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: service.browser.post(link, data=ASK), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(links_mailed(service)) == 1
