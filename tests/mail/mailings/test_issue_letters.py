"""An approved issue becomes one letter and a delivery for every current reader of the newsletter."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from jinja2 import FunctionLoader
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

from newsletter import templating
from newsletter.audit_log import AuditEntry
from newsletter.consent.subscribers.subscribers import Standing, Subscription
from newsletter.consent.subscribers.suppressions import Reason
from newsletter.content.issues import transitions
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.doctor import examination
from newsletter.errors import Refused
from newsletter.links import Links, Purpose
from newsletter.mail.delivery import claims
from newsletter.mail.delivery.assembly import Assembler
from newsletter.mail.delivery.deliveries import OPEN, Delivery, DeliveryStatus, status_counts
from newsletter.mail.letters.letters import Letter, Variant
from newsletter.mail.letters.merge import FieldError
from newsletter.mail.mailings import issue_layout, issue_letters
from newsletter.mail.transport import return_paths
from newsletter.newsletters import Newsletter
from tests.builders import KEYRING, a_crowd, a_newsletter, a_reader, a_worker, an_issue, owed
from tests.clock import NOON
from tests.query_plans import fill, generic_plan, prepare_everything
from tests.servers.databases import failing_at_the_end, opened
from tests.waiting import TIMEOUT

TEMPLATES = templating.environment
BASE = "https://letters.example.org"
OPTIONS = {"templates": TEMPLATES, "base_url": BASE}


def send(session, issue: Issue, now=NOON) -> Letter:
    return issue_letters.send(session, issue, **OPTIONS, now=now)


def send_approved(begin, now=NOON, **options) -> int:
    return issue_letters.send_approved(begin, **(OPTIONS | options), now=now)


def approved(session, newsletter: Newsletter, **values) -> Issue:
    return an_issue(session, newsletter, status=IssueStatus.APPROVED, **values)


def status(begin, issue: Issue) -> IssueStatus:
    with begin() as session:
        return session.get_one(Issue, issue.id).status


def audience(session, letter: Letter) -> set[int | None]:
    return set(session.scalars(select(Delivery.subscriber_id).where(Delivery.letter_id == letter.id)))


def test_the_audience_is_everybody_who_reads_the_newsletter_at_that_moment(begin):
    with begin() as session:
        newsletter, other = a_newsletter(session), a_newsletter(session, "evening")
        readers = {a_reader(session, newsletter).id for _ in range(3)}
        for standing in (Standing.ASKED, Standing.LEFT):
            a_reader(session, newsletter, standing=standing)
        a_reader(session, newsletter, suppressed=Reason.BOUNCED)
        a_reader(session, other)
        letter = send(session, approved(session, newsletter))
        a_reader(session, newsletter)
        assert audience(session, letter) == readers
        assert letter.audience == 3
        assert status_counts(session, letter.id) == dict.fromkeys(DeliveryStatus, 0) | {DeliveryStatus.QUEUED: 3}
        assert examination.examine(session) == []


def test_an_issue_is_sent_once(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        a_reader(session, newsletter)
        issue = approved(session, newsletter)
        send(session, issue)
        assert issue.status is IssueStatus.SENDING
        with pytest.raises(Refused):
            transitions.begin_sending(session, issue, actor="tests", now=NOON)
    assert send_approved(begin) == 0
    with begin() as session:
        assert session.scalar(select(func.count()).select_from(Delivery)) == 1


@pytest.mark.parametrize(
    "state", sorted(set(IssueStatus) - {IssueStatus.APPROVED, IssueStatus.SENDING, IssueStatus.PAUSED})
)
def test_only_an_approved_issue_is_sent(begin, state):
    with begin() as session:
        newsletter = a_newsletter(session)
        issue = an_issue(session, newsletter, status=state)
        with pytest.raises(Refused):
            send(session, issue)
    assert send_approved(begin) == 0


def test_an_issue_waits_for_its_time(begin):
    with begin() as session:
        issue = approved(session, a_newsletter(session), run_at=NOON)
        with pytest.raises(Refused):
            send(session, issue, now=NOON - timedelta(seconds=1))
    assert send_approved(begin, now=NOON - timedelta(seconds=1)) == 0
    assert send_approved(begin, now=NOON) == 1


def test_both_parts_hold_every_article_and_the_links_of_the_reader(begin):
    titles = ("A bridge opens", "=?utf-8?q?=0ABcc:_x=40y.z?=", "The <b>bus</b> & {{ 7*7 }}")
    with begin() as session:
        newsletter = a_newsletter(session)
        people = [a_reader(session, newsletter, name=name) for name in ("Ana", None)]
        send(session, approved(session, newsletter, titles=titles))
        assembler, links = Assembler(Links(KEYRING, BASE), KEYRING), Links(KEYRING, BASE)
        mine = claims.claim(session, a_worker(session), limit=9, urgent=False, key="k1", now=NOON)
        found = [
            b"".join(assembler.assemble(each, session.get_one(Variant, each.variant), begin_by=0).body) for each in mine
        ]
    for person, source, greeting in zip(people, found, ("Dear Ana,", "Dear reader,"), strict=True):
        letter = message_from_bytes(source, policy=policy.default)
        text, html = (letter.get_body((kind,)).get_content() for kind in ("plain", "html"))
        assert letter["To"] == (f"{person.name} <{person.address}>" if person.name else person.address)
        assert letter["Bcc"] is None
        assert [part.get_content_type() for part in letter.iter_parts()] == ["text/plain", "text/html"]
        assert all(title in text for title in titles)
        assert greeting in text
        assert greeting in html
        assert "The &lt;b&gt;bus&lt;/b&gt; &amp; {{ 7*7 }}" in html
        assert len(source) < 102_000, "Gmail hides everything after"
        (token,) = {line.rpartition("/")[2] for line in text.splitlines() if "/u/" in line}
        assert links.read(token, Purpose.UNSUBSCRIBE) == (person.id, newsletter.id)
        assert f"{BASE}/u/{token}" in html
        assert letter["List-Unsubscribe"] == f"<{BASE}/u/{token}>"


def test_a_preview_shows_the_letter_without_any_reader(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        a_reader(session, newsletter, "ana@example.org", name="Ana")
        issue = an_issue(session, newsletter, status=IssueStatus.DRAFTED)
    with begin() as session:
        shown = issue_layout.preview(session, issue, **OPTIONS)
    assert shown.keys() == {"text", "html", "source"}
    assert all("A bridge opens" in part for part in shown.values())
    assert not any("ana" in part.lower().split("@")[0].split() for part in shown.values())
    assert "Dear reader," in shown["text"]


def test_every_approved_issue_begins(begin):
    with begin() as session:
        first, second = (approved(session, a_newsletter(session, slug)) for slug in ("one", "two"))
        drafted = an_issue(session, a_newsletter(session, "three"), status=IssueStatus.DRAFTED)
    assert send_approved(begin) == 2
    assert status(begin, first) is status(begin, second) is IssueStatus.SENDING
    assert status(begin, drafted) is IssueStatus.DRAFTED


@pytest.fixture
def broken(begin) -> Issue:
    """An issue that cannot be laid out, because this machine does not know the zone of its newsletter."""
    with begin() as session:
        newsletter = a_newsletter(session, "broken")
        a_reader(session, newsletter)
        newsletter.zone = "Nowhere/Town"
        return approved(session, newsletter, run_at=NOON - timedelta(days=1))


def test_an_issue_that_cannot_be_sent_is_paused_with_the_reason_and_blocks_no_other(begin, broken, caplog):
    with begin() as session:
        control = approved(session, a_newsletter(session))
    assert send_approved(begin) == 1
    assert status(begin, control) is IssueStatus.SENDING
    assert status(begin, broken) is IssueStatus.PAUSED
    with begin() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.verb == "issue paused")).one()
        assert session.scalar(select(Letter).where(Letter.issue_id == broken.id)) is None
    assert (entry.actor, entry.verb, entry.subject) == ("worker", "issue paused", f"issue:{broken.id}")
    assert entry.fields == {"reason": "ZoneInfoNotFoundError"}
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    caplog.clear()
    assert send_approved(begin) == 0
    assert caplog.records == [], "it is not tried again before it is resumed"


def test_an_issue_that_was_corrected_and_resumed_is_sent(begin, broken):
    send_approved(begin)
    with begin() as session:
        session.execute(update(Newsletter).where(Newsletter.id == broken.newsletter_id).values(zone="UTC"))
        transitions.begin_sending(session, session.get_one(Issue, broken.id), actor="tests", now=NOON)
        assert issue_letters.finish(session, now=NOON) == [], "an issue without a letter is not sent"
    assert send_approved(begin) == 1
    with begin() as session:
        letter = session.scalars(select(Letter).where(Letter.issue_id == broken.id)).one()
        assert letter.audience == 1


def test_a_name_missing_in_a_template_pauses_the_issue_with_the_reason(begin):
    broken = TEMPLATES("en").overlay(loader=FunctionLoader(lambda _: "{{ headlines }}"))
    with begin() as session:
        issue = approved(session, a_newsletter(session))
    assert send_approved(begin, templates=lambda _: broken) == 0
    assert status(begin, issue) is IssueStatus.PAUSED
    with begin() as session:
        assert transitions.pause_reason(session, session.get_one(Issue, issue.id)) == (
            "The letter cannot be laid out: 'headlines' is undefined"
        )


def test_an_unavailable_database_does_not_pause_the_issue(begin):
    with begin() as session:
        issue = approved(session, a_newsletter(session))

    with pytest.raises(OperationalError):
        send_approved(failing_at_the_end(begin))
    assert status(begin, issue) is IssueStatus.APPROVED
    assert send_approved(begin) == 1


@pytest.mark.slow
def test_sqlite_refuses_an_issue_to_more_than_twenty_thousand_readers(begin, database):
    with begin() as session:
        newsletter = a_newsletter(session)
        a_crowd(session, newsletter, 20_001)
        issue = approved(session, newsletter)
    if not database.is_sqlite:
        assert send_approved(begin) == 1
        with begin() as session:
            assert session.scalars(select(Letter.audience)).one() == 20_001
        return
    assert send_approved(begin) == 0
    with begin() as session:
        assert session.get_one(Issue, issue.id).status is IssueStatus.PAUSED
        reason = transitions.pause_reason(session, session.get_one(Issue, issue.id))
        assert "20,001 readers" in reason
        assert "NEWSLETTER_DATABASE_URL" in reason
        session.delete(session.scalars(select(Subscription).limit(1)).one())
        transitions.begin_sending(session, session.get_one(Issue, issue.id), actor="tests", now=NOON)
    assert send_approved(begin) == 1


def _issue_of(session, delivery: Delivery) -> Issue:
    return session.get_one(Issue, session.get_one(Letter, delivery.letter_id).issue_id)


def test_an_issue_is_marked_sent_when_its_last_delivery_is_final(begin):
    with begin() as session:
        for state in DeliveryStatus:
            first, second = owed(session, 2)
            first.status = DeliveryStatus.SENT
            second.status = state
            session.flush()
            done = issue_letters.finish(session, now=NOON)
            issue = _issue_of(session, first)
            assert done == ([] if state in OPEN else [issue.id])
            assert issue.status is (IssueStatus.SENDING if state in OPEN else IssueStatus.SENT)
            assert issue.sent_at == (None if state in OPEN else NOON)
            second.status = DeliveryStatus.FAILED
            session.flush()
            issue_letters.finish(session, now=NOON)
            session.refresh(issue)
            assert issue.status is IssueStatus.SENT


def test_an_issue_without_readers_is_marked_sent_at_once(begin):
    with begin() as session:
        issue = approved(session, a_newsletter(session))
    assert send_approved(begin) == 1
    with begin() as session:
        assert len(issue_letters.finish(session, now=NOON)) == 1
    assert status(begin, issue) is IssueStatus.SENT


def test_a_paused_issue_is_not_marked_sent(begin):
    with begin() as session:
        (delivery,) = owed(session, 1, status=DeliveryStatus.SENT)
        transitions.pause(session, _issue_of(session, delivery), actor="tests", now=NOON)
        assert issue_letters.finish(session, now=NOON) == []


def test_finishing_reads_open_deliveries_by_index(postgresql_url):
    with closing(opened(postgresql_url)) as database, database.writing() as session:
        (delivery,) = owed(session, 1)
        fill(session, delivery, decided=15_000, waiting=5)
        prepare_everything(session)
        assert issue_letters.finish(session, now=NOON) == []
        plan = generic_plan(session, "SELECT issues.id%")
    assert "ix_deliveries_bulk" in plan
    assert "Seq Scan on deliveries" not in plan


def test_concurrent_workers_begin_each_issue_once(postgresql_url):
    with closing(opened(postgresql_url)) as database:
        with database.writing() as session:
            for number in range(6):
                newsletter = a_newsletter(session, f"letter{number}")
                for _ in range(3):
                    a_reader(session, newsletter)
                approved(session, newsletter)
        start = threading.Barrier(3)

        def work(_: int) -> int:
            start.wait(TIMEOUT)
            return send_approved(database.writing)

        with ThreadPoolExecutor(3) as pool:
            assert sum(pool.map(work, range(3))) == 6
        with database.reading() as session:
            assert list(session.scalars(select(Letter.audience))) == [3] * 6
            assert examination.examine(session) == []


def test_each_letter_has_a_return_path_of_its_own_if_the_newsletter_has_a_domain_for_it(begin):
    assembler = Assembler(Links(KEYRING, BASE), KEYRING)
    with begin() as session:
        for slug, domain in (("morning", "bounces.press.example"), ("noon", None)):
            newsletter = a_newsletter(session, slug, return_path_domain=domain)
            a_crowd(session, newsletter, 2)
            send(session, an_issue(session, newsletter, status=IssueStatus.APPROVED))
    with begin() as session:
        claimed = claims.claim(session, a_worker(session), limit=9, urgent=False, key="k1", now=NOON)
        variants = {each.variant: session.get_one(Variant, each.variant) for each in claimed}
        senders = [assembler.assemble(each, variants[each.variant], begin_by=0).sender for each in claimed]
    own = return_paths.maker(KEYRING, key="k1")
    assert senders[:2] == [own(each.delivery, NOON, "bounces.press.example") for each in claimed[:2]]
    assert senders[2:] == ["letters@press.example"] * 2


@pytest.mark.parametrize("title", ["A bridge number {} opens", "يفتح الجسر الجديد فوق النهر أبوابه للمشاة رقم {}"])
def test_a_hundred_articles_fit_a_letter_of_which_the_last_are_headlines(sqlite_database, title):
    titles = tuple(title.format(number) for number in range(100))
    with sqlite_database.writing() as session:
        issue = an_issue(session, a_newsletter(session), titles=titles, status=IssueStatus.APPROVED)
        (checked,) = issue_layout.check(session, issue, **OPTIONS).values()
        shown = issue_layout.preview(session, issue, **OPTIONS)
    assert len(shown["html"].encode()) < issue_layout.MAX_HTML_BYTES
    assert all(title in shown["html"] and title in shown["text"] for title in titles)
    assert shown["html"].count("All about it") == 100 - checked.headlines in range(1, 100)
    assert shown["text"].count("All about it") == 100, "the text part has no limit"


def test_an_issue_too_long_for_gmail_is_paused_with_the_reason(begin):
    titles = tuple(f"Title {n} " + "ö" * 180 for n in range(90))
    with begin() as session:
        newsletter = a_newsletter(session)
        a_crowd(session, newsletter, 2)
        issue = approved(session, newsletter, titles=titles)
        with pytest.raises(Refused, match="90,000"):
            issue_layout.check(session, issue, **OPTIONS)
    assert send_approved(begin) == 0
    assert status(begin, issue) is IssueStatus.PAUSED
    with begin() as session:
        assert "90,000" in transitions.pause_reason(session, session.get_one(Issue, issue.id))
        assert session.scalar(select(func.count()).select_from(Delivery)) == 0


def test_a_name_that_cannot_be_written_fails_only_its_own_letter(begin):
    assembler = Assembler(Links(KEYRING, BASE), KEYRING)
    with begin() as session:
        newsletter = a_newsletter(session)
        for name in ("Ana", "Bob\x07", "王小明"):
            a_reader(session, newsletter, name=name)
        send(session, approved(session, newsletter))
        mine = claims.claim(session, a_worker(session), limit=9, urgent=False, key="k1", now=NOON)
        variant = session.get_one(Variant, mine[0].variant)
    ana, bob, ming = mine
    assert [assembler.assemble(each, variant, begin_by=0).delivery for each in (ana, ming)] == [
        ana.delivery,
        ming.delivery,
    ]
    with pytest.raises(FieldError, match="name"):
        assembler.assemble(bob, variant, begin_by=0)
