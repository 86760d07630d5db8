"""After leaving: a reason that nobody need give and that names nobody, and a way back that only the inbox confirms."""

import re

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from newsletter.consent.decisions import leaving_reasons
from newsletter.consent.decisions.leaving_reasons import LeavingReason
from newsletter.consent.ledger.ledger import Evidence, LedgerEntry
from newsletter.consent.subscribers.subscribers import Standing, Subscription
from newsletter.consent.wordings.exhibits import Exhibit
from newsletter.links import Purpose
from newsletter.queues.wakeups import Queue
from tests.web.public.answers import without
from tests.whole_service import whole_service

ANA = "ana@example.org"
LEAVE = {"unsubscribe": "yes"}


@pytest.fixture
def service(sqlite_url, tmp_path):
    with whole_service(sqlite_url, tmp_path) as service:
        service.newsletter()
        yield service


def left(service):
    """Let Ana subscribe and leave; return the link of her letter."""
    link = service.link(service.reader(ANA), "u")
    assert service.browser.post(link, data=LEAVE).status_code == 200
    return link


def way_back(service, link):
    """Return what the button of the way back posts."""
    fields = LexborHTMLParser(service.browser.get(link).text).css("details form input[type=hidden]")
    return {str(each.attributes["name"]): each.attributes["value"] for each in fields} | {"again": "yes"}


def reasons(service):
    with service.site.database.reading() as session:
        return list(session.scalars(select(LeavingReason)))


def standing(service):
    with service.site.database.reading() as session:
        return session.scalars(select(Subscription.standing)).one()


def test_a_reason_is_stored_once_for_a_withdrawal_by_its_day_and_without_the_person(service):
    link = left(service)
    told = {"tell": "yes", "reason": "too many", "comment": "Every\r\nday\x00 is\u202e much"}
    answer = service.browser.post(link, data=told)
    assert (answer.status_code, "Thank you for telling us." in answer.text) == (200, True)
    assert 'name="tell"' not in answer.text
    assert service.browser.post(link, data=told | {"reason": "other"}).status_code == 200
    (row,) = reasons(service)
    assert (row.reason, row.comment) == ("too many", "Every day is much")
    assert f"{row.given_at:%H:%M:%S}" == "00:00:00"
    with service.site.database.reading() as session:
        told = leaving_reasons.summary(session, row.newsletter_id, now=service.clock())
    assert {reason.value: number for reason, number in told.counts.items() if number} == {"too many": 1}
    assert [comment for _, _, comment in told.comments] == ["Every day is much"]


def test_a_reason_without_a_withdrawal_is_none(service):
    link = service.link(service.reader(ANA), "u")
    before, page = service.rows(), service.browser.get(link).text
    for data in ({"tell": "yes", "reason": "other"}, {"again": "yes"}):
        answer = service.browser.post(link, data=data)
        assert (answer.status_code, answer.text) == (422, page), "the page with the button"
    assert service.rows() == before


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({}, "Choose a reason, or write one."),
        ({"reason": "<script>"}, "Choose a reason, or write one."),
        ({"reason": "other", "comment": "x" * 501}, "Please write at most 500 characters; these are 501."),
    ],
)
def test_a_reason_that_cannot_be_read_is_shown_again_with_what_to_correct(service, told, message):
    link = left(service)
    answer = service.browser.post(link, data={"tell": "yes", **told})
    page = LexborHTMLParser(answer.text)
    assert answer.status_code == 422
    assert page.css_first("[role=alert]").text(strip=True) == f"Please correct the following{message}"
    assert page.css_first("textarea").text() == told.get("comment", "")
    assert reasons(service) == []


def test_the_way_back_mails_a_confirmation_which_alone_subscribes_again(service):
    link = left(service)
    page = service.browser.get(link).text
    assert ANA not in page
    assert "I ask" in page, "the words of consent stand beside the button"
    service.clock.advance(minutes=11)
    answer = service.browser.post(link, data=way_back(service, link))
    assert (answer.status_code, without(ANA, answer)) == (202, answer.text)
    assert standing(service) is Standing.LEFT
    service.run(Queue.URGENT)
    assert standing(service) is Standing.ASKED
    letter = service.letters(to=ANA)[-1]
    assert service.browser.post(service.link(letter, "confirm"), data={"confirm": "yes"}).status_code == 200
    assert standing(service) is Standing.SUBSCRIBED


def test_the_evidence_of_the_way_back_names_what_its_page_showed(service):
    link = left(service)
    posted = way_back(service, link)
    page = service.browser.get(link).text
    service.clock.advance(minutes=11)
    service.browser.post(link, data=posted)
    service.run(Queue.URGENT)
    with service.site.database.reading() as session:
        last = session.scalars(select(LedgerEntry).order_by(LedgerEntry.id.desc())).first()
        body = session.get_one(Evidence, last.id).body
        shown = session.get_one(Exhibit, posted["exhibit"]).body.decode()
    assert posted["exhibit"] in str(body)
    assert "return: on our own page, after leaving" in str(body)
    assert shown in page


def test_changed_or_foreign_words_ask_nobody(service):
    service.newsletter("evening")
    link = left(service)
    posted, before = way_back(service, link), service.rows()
    for wrong in ({"exhibit": "0" * 64}, {"exhibit": ""}, {"wording": "2"}, {"wording": "9" * 30}, {"wording": "x"}):
        answer = service.browser.post(link, data=posted | wrong)
        assert answer.status_code == 422
        assert "The words of consent have changed meanwhile." in answer.text
    assert service.rows() == before


def test_a_page_left_open_counts_with_its_own_version_of_the_words(service):
    link = left(service)
    posted = way_back(service, link)
    service.publish_words("morning", "I ask for other words.", "en")
    service.clock.advance(minutes=11)
    assert service.browser.post(link, data=posted).status_code == 202
    service.run(Queue.URGENT)
    assert standing(service) is Standing.ASKED


def test_whoever_holds_the_link_cannot_flood_the_inbox(service):
    link = left(service)
    posted = way_back(service, link)
    for _ in range(5):
        service.clock.advance(minutes=11)
        assert service.browser.post(link, data=posted).status_code == 202
        service.run(Queue.URGENT)
    assert len(service.letters(to=ANA)) == 3


def test_leaving_on_the_preferences_page_leads_to_the_same_page(service):
    service.reader(ANA)
    with service.site.database.reading() as session:
        newsletter, reader = session.execute(select(Subscription.newsletter_id, Subscription.subscriber_id)).one()
    link = f"/preferences/{service.site.links.token(Purpose.PREFERENCES, reader, newsletter)}"
    page = service.browser.post(link, data={"leave": "yes"}).text
    assert set(re.findall(r'action="/u/([^"]+)"', page)) == {
        service.site.links.token(Purpose.UNSUBSCRIBE, reader, newsletter)
    }


def test_a_year_later_the_reason_is_gone(service):
    link = left(service)
    service.browser.post(link, data={"tell": "yes", "comment": "Farewell"})
    assert [row.reason for row in reasons(service)] == ["other"]
    service.clock.advance(days=366)
    service.run(Queue.UPKEEP)
    assert reasons(service) == []
