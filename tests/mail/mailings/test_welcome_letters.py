"""Welcome letters: once for each time that a person subscribes, after every urgent letter, never an issue twice."""

from datetime import timedelta

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select, update

from newsletter.consent.decisions import decisions
from newsletter.consent.subscribers import subscribers
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.doctor import counts, examination
from newsletter.mail.delivery import claims
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.mail.letters import totals
from newsletter.mail.letters.letters import Letter, LetterKind, is_kind
from newsletter.mail.mailings import welcome_letters
from newsletter.newsletters import Newsletter
from newsletter.privacy import proofs
from newsletter.queues.wakeups import Queue
from newsletter.templating import environment
from tests.builders import a_delivery, a_letter, a_newsletter, a_reader, a_signup, a_worker, an_issue
from tests.clock import NOON
from tests.whole_service import whole_service

ANA, EVE = "ana@example.org", "eve@example.org"
BASE_URL = "https://letters.example.org"
LEAVE = {"unsubscribe": "yes"}


@pytest.fixture
def service(sqlite_url, tmp_path):
    with whole_service(sqlite_url, tmp_path) as service:
        service.newsletter(sends_welcome=True, welcome_has_issue=True)
        yield service


def owe(session, reader, *newsletters, now=NOON):
    ids = [each.id for each in newsletters]
    return welcome_letters.owe(session, reader.id, ids, templates=environment, base_url=BASE_URL, now=now)


def welcomes(service, to):
    service.run(Queue.URGENT)
    return [letter for letter in service.letters(to=to) if letter["Subject"].startswith("Welcome to")]


def add_issue(service, status=IssueStatus.SENT, titles=("A bridge opens", "The bus waits")):
    with service.site.database.writing() as session:
        newsletter = session.scalars(select(Newsletter)).one()
        issue = an_issue(session, newsletter, status=status, titles=titles)
        if status is IssueStatus.SENT:
            a_letter(session, newsletter, issue=issue, audience=0)
        return issue.id


def text_of(letter):
    return letter.get_body(("plain",)).get_content()


def test_who_confirms_is_welcomed_once_and_can_leave_by_the_letter(service):
    letter = service.reader(ANA)
    service.browser.post(service.link(letter, "confirm"), data={"confirm": "yes"})
    (welcome,) = welcomes(service, ANA)
    assert "Please add letters@press.example to your contacts." in text_of(welcome)
    assert welcome["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    html = LexborHTMLParser(welcome.get_body(("html",)).get_content())
    assert [each.text() for each in html.css("a[href*='/u/']")] == ["Unsubscribe"] * 3
    assert service.browser.post(service.link(welcome, "u"), data=LEAVE).status_code == 200
    with service.site.database.reading() as session:
        assert session.scalars(select(Subscription.standing)).one() is Standing.LEFT
        assert examination.examine(session) == []


def test_without_the_setting_nobody_is_welcomed(sqlite_url, tmp_path):
    with whole_service(sqlite_url, tmp_path) as service:
        service.newsletter(welcome_has_issue=True)
        service.reader(ANA)
        assert welcomes(service, ANA) == []


def test_the_newest_sent_issue_is_in_the_letter_and_one_that_is_being_sent_is_not(service):
    add_issue(service, titles=("Old news",))
    newest = add_issue(service, titles=("The newest bridge", "The bus waits"))
    add_issue(service, IssueStatus.SENDING, titles=("Not yet sent",))
    service.reader(ANA)
    (welcome,) = welcomes(service, ANA)
    assert "The newest bridge" in text_of(welcome)
    assert "Old news" not in text_of(welcome)
    assert "Not yet sent" not in text_of(welcome)
    with service.site.database.reading() as session:
        letter = session.scalars(select(Letter).where(Letter.included_issue_id.is_not(None))).one()
        assert letter.included_issue_id == newest


def test_who_confirms_while_an_issue_is_being_sent_gets_no_letter_of_it_twice(service):
    service.reader(EVE)
    number = add_issue(service, IssueStatus.APPROVED, titles=("Under way",))
    service.run(Queue.BULK)
    service.reader(ANA)
    service.run()
    with service.site.database.reading() as session:
        assert session.get_one(Issue, number).status is IssueStatus.SENT
    service.reader("zoe@example.org")
    service.run()
    for reader in (ANA, EVE, "zoe@example.org"):
        copies = [letter for letter in service.letters(to=reader) if "Under way" in text_of(letter)]
        assert len(copies) == 1 or reader == ANA, reader
        assert len(copies) <= 1


def test_who_comes_back_is_welcomed_again_but_gets_no_issue_twice(service):
    add_issue(service, titles=("The newest bridge",))
    link = service.link(service.reader(ANA), "u")
    service.run()
    service.browser.post(link, data=LEAVE)
    service.clock.advance(days=1)
    service.reader(ANA)
    assert ["The newest bridge" in text_of(letter) for letter in welcomes(service, ANA)] == [True, False]


def test_who_leaves_and_comes_back_before_the_welcome_is_sent_gets_one_with_the_issue(service):
    add_issue(service)
    service.reader(ANA)
    with service.site.database.writing() as session:
        reader = session.scalars(select(Subscriber)).one()
        decisions.withdraw(session, reader, newsletters=None, how="tests", trace=None, now=service.clock())
    service.clock.advance(hours=1)
    with service.site.database.writing() as session:  # a busy relay: nothing has left yet
        number = session.scalars(select(Newsletter.id)).one()
        later = service.clock()
        subscribers.set_standings(session, reader.id, [number], Standing.SUBSCRIBED, now=later)
        assert owe(session, reader, session.get_one(Newsletter, number), now=later) == 1
    (welcome,) = welcomes(service, ANA)
    assert "A bridge opens" in text_of(welcome)


def test_an_issue_that_was_mailed_to_the_reader_is_left_out(begin):
    with begin() as session:
        newsletter = a_newsletter(session, sends_welcome=True, welcome_has_issue=True)
        issue = an_issue(session, newsletter, status=IssueStatus.SENT)
        issue_letter = a_letter(session, newsletter, issue=issue, audience=2)
        for reader, status in ((a_reader(session, newsletter), "sent"), (a_reader(session, newsletter), "withheld")):
            a_delivery(session, issue_letter, reader, status=status, decided_at=NOON)
            assert owe(session, reader, newsletter) == 1
            assert owe(session, reader, newsletter) == 0
        included = select(Letter.included_issue_id).where(is_kind(LetterKind.WELCOME)).order_by(Letter.id)
        assert session.scalars(included).all()[-2:] == [None, issue.id]


def test_a_long_issue_fits_into_the_letter_or_is_left_out(service):
    with service.site.database.writing() as session:
        newsletter = session.scalars(select(Newsletter)).one()
        for title, is_included in (("x" * 90, True), ('"' * 240, False)):
            titles = tuple(f"{number} {title}" for number in range(100))
            issue = an_issue(session, newsletter, status=IssueStatus.SENT, titles=titles)
            assert owe(session, a_reader(session, newsletter), newsletter) == 1
            last = session.scalars(select(Letter).order_by(Letter.id.desc())).first()
            assert last.included_issue_id == (issue.id if is_included else None)


def test_a_welcome_waits_for_every_urgent_letter_and_is_claimed_in_small_numbers(begin):
    with begin() as session:
        newsletter = a_newsletter(session, sends_welcome=True)
        for _ in range(claims.MAX_SOON_ROWS + 1):
            owe(session, a_reader(session, newsletter), newsletter, now=NOON - timedelta(hours=1))
        session.execute(update(Subscription).values(since=NOON - timedelta(hours=1)))
        signup = a_signup(session, newsletter, EVE, state="asked")
        urgent = a_letter(session, newsletter, signup=signup)
        asked = a_reader(session, newsletter, EVE, standing=Standing.ASKED)
        confirmation, worker = a_delivery(session, urgent, asked), a_worker(session)
        order = [
            [each.delivery for each in claims.claim(session, worker, limit=100, urgent=True, key="k1", now=NOON)]
            for _ in range(3)
        ]
        assert order[0] == [confirmation.id]
        assert [len(each) for each in order] == [1, claims.MAX_SOON_ROWS, 1]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"paused_until": NOON + timedelta(days=9)}, DeliveryStatus.CLAIMED),
        ({"standing": "left"}, DeliveryStatus.WITHHELD),
        ({"standing": "asked"}, DeliveryStatus.WITHHELD),
    ],
)
def test_a_welcome_needs_a_present_subscription_which_may_pause(service, changes, status):
    with service.site.database.writing() as session:
        newsletter = session.scalars(select(Newsletter)).one()
        owe(session, a_reader(session, newsletter), newsletter)
        session.execute(update(Subscription).values(changes))
        claims.claim(session, a_worker(session), limit=9, urgent=True, key="k1", now=NOON)
        assert session.scalar(select(Delivery.status)) is status


def counted(session) -> dict[LetterKind, int]:
    states = counts.count(session, now=NOON).letters.states
    return {kind: n for (kind, _), n in states.items() if n}


def test_a_welcome_letter_counts_as_one_and_is_stored_as_a_kind_that_the_release_before_reads(begin):
    with begin() as session:
        newsletter = a_newsletter(session, sends_welcome=True)
        assert owe(session, a_reader(session, newsletter), newsletter) == 1
        assert counted(session) == {LetterKind.WELCOME: 1}
        assert set(session.scalars(select(Letter.kind))) == {LetterKind.LINK}


def test_the_letter_of_an_erased_reader_is_folded_and_the_sums_hold(begin, reading):
    with begin() as session:
        newsletter = a_newsletter(session, sends_welcome=True)
        reader = a_reader(session, newsletter, standing=Standing.LEFT)
        session.execute(update(Subscription).values(standing="subscribed"))
        assert owe(session, reader, newsletter) == 1
        session.execute(update(Subscription).values(standing="left"))
        session.execute(update(Delivery).values(status="sent", decided_at=NOON))
    with begin() as session:
        assert proofs.erase_due(session, now=NOON.replace(year=2031)) == 1
    with reading() as session:
        assert examination.examine(session) == []
        assert counted(session) == {LetterKind.LINK: 1}  # the total that the release before can read
        assert session.scalars(select(Letter.occasion)).all() == [totals.total_of(LetterKind.WELCOME)]
