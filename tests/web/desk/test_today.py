"""Today: what leaves, what waits, what is wrong, and who may see it."""

from datetime import timedelta

from sqlalchemy import insert

from newsletter import newsletters
from newsletter.consent.counts.day_counts import ALL, DayCounts
from newsletter.content.digests import digests
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues import transitions
from newsletter.content.issues.issues import IssueStatus
from newsletter.mail.delivery.delivery_counts import DeliveryProgress
from newsletter.mail.pace.notices import Notice
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from tests.builders import a_letter, an_issue
from tests.clock import NOON
from tests.statements import executed
from tests.web.desk.conftest import ON_BOTH

MOST_STATEMENTS = 19  # of which five are the frame's


def a_living_desk(service) -> dict[str, int]:
    """Add two newsletters with something to tell about each; return the ids of the issues."""
    service.newsletter("morning", zone="America/New_York")
    service.newsletter("evening")
    service.run(Queue.UPKEEP)  # a worker is there
    with service.site.database.writing() as session:
        morning, evening = (newsletters.named(session, slug) for slug in ("morning", "evening"))
        digests.add(session, morning, name="Daily", cron="0 7 * * *", automatic=True, actor="tests", now=NOON)
        found = {
            "leaving": an_issue(session, morning, titles=("Leaving news",)),
            "paused": an_issue(session, evening, titles=("Paused news",)),
            "waiting": an_issue(session, morning, status=IssueStatus.DRAFTED, titles=("Drafted news",)),
            "approved": an_issue(
                session, evening, status=IssueStatus.APPROVED, run_at=NOON + timedelta(hours=5), titles=("Later news",)
            ),
            "sent": an_issue(session, evening, status=IssueStatus.SENT, titles=("Old news",)),
        }
        found["sent"].sent_at = NOON - timedelta(days=1)
        expired = an_issue(session, morning, status=IssueStatus.DRAFTED, titles=("Forgotten news",))
        transitions.expire(session, expired, reason="nobody approved it", actor="scheduler", now=NOON)
        transitions.pause(
            session, found["paused"], actor="worker", now=NOON, reason="Most often: 550 5.7.1 rejected <b>"
        )
        for name, counts in (("leaving", {"sent": 60, "failed": 1, "queued": 39}), ("sent", {"sent": 1234})):
            letter, _ = a_letter(session, morning, issue=found[name], audience=100)
            session.add(DeliveryProgress(letter_id=letter.id, counts=counts, counted_at=NOON))
        failing = session.query(Feed).filter_by(newsletter_id=morning.id).first()
        failing.title, failing.failures, failing.error = "Council notices", 3, "503 Service Unavailable"
        place = "the relay mail.example.org:587"
        notice = {"says": "421 try later", "lasting": False, "halted": True, "until": None}
        session.add(Notice(place=place, since=NOON, told_at=NOON, **notice))
        session.query(DayCounts).delete()
        days = [
            {"day": (NOON - timedelta(days=back)).date(), "newsletter_id": number, "counted_at": NOON}
            | {"joined": 2, "left": 1, "readers": readers - back}
            for back in range(84)
            for number, readers in ((ALL, 2000), (morning.id, 1100), (evening.id, 1500))
        ]
        session.execute(insert(DayCounts), days)
        return {name: issue.id for name, issue in found.items()}


def words(page) -> str:
    return " ".join(page.body.text(separator=" ").split())


@ON_BOTH
def test_the_day_is_told_in_a_dozen_and_a_half_statements(service, sign_in):
    numbers = a_living_desk(service)
    desk = sign_in(Role.PUBLISHER)
    desk.page()
    with executed(service.site.database) as statements:
        page = desk.page()
    text = words(page)
    assert page.css_first("h1").text() == "One issue is paused, one is leaving, one waits for you"
    for told in (
        "60 of 100 letters sent, 1 failed",
        "Drafted news",
        "to 1,100 readers",
        "Today 13:00 in 5 h, 17:00 UTC",  # the operator has the zone of the oldest newsletter
        "Tomorrow 07:00",
        "Leaves without approval",
        "Most often: 550 5.7.1 rejected <b>",
        "Council notices cannot be read. Digests go on without it. 503 Service Unavailable",
        "The relay mail.example.org:587 Since today at 08:00. 421 try later",
        "1 draft that nobody approved in time, the last today at 08:00",
        "2,000 people read at least one newsletter, 28 more than four weeks ago",
        "1,234 letters of issues left in twelve weeks",
    ):
        assert told in text, text
    links = {link.attributes["href"] for link in page.css("main a")}
    assert {f"/desk/issues/{numbers[name]}" for name in numbers} <= links
    assert len(page.css("main .button:not(.quiet)")) == 1
    assert len(page.css("details tbody tr")) == 12
    if service.site.database.is_sqlite:
        return  # its readers have an engine of their own, which `executed` does not see
    assert len(statements) <= MOST_STATEMENTS, statements


def test_a_viewer_of_one_newsletter_sees_nothing_of_the_other_or_of_the_service(service, sign_in):
    a_living_desk(service)
    page = sign_in(Role.VIEWER, "evening").page()
    text = words(page)
    assert page.css_first("h1").text() == "One issue is paused"
    assert "1,500 people read The Evening Letter" in text
    for hidden in ("Drafted news", "Morning", "Council notices", "mail.example.org", "2,000", "nobody approved"):
        assert hidden not in text
    assert "Later news" not in text
    assert "The Evening Letter, issue" in text


def test_an_empty_desk_leads_to_its_first_steps_and_says_what_will_be_where(service, sign_in):
    page = sign_in(Role.ADMIN).page()
    assert page.css_first("h1").text() == "Nothing leaves yet: four steps to a first issue"
    assert page.css_first("a.button").attributes["href"] == "/desk/start"
    assert "No worker has reported yet" in page.body.text()
    assert "No issue is planned" in page.body.text()
    assert "No readers have been counted yet" in page.body.text()


@ON_BOTH
def test_what_workers_counted_is_on_the_page(service, sign_in):
    service.newsletter()
    service.reader("ann@example.org")
    service.clock.advance(minutes=1)
    service.run(Queue.UPKEEP)
    text = words(sign_in(Role.VIEWER).page())
    assert "1 person reads at least one newsletter" in text
    assert "Joined and confirmed: 1" in text
