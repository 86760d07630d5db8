"""What needs a person: paused issues, failing feeds, languages without words, and the state of the service itself."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.audit_log import AuditEntry
from newsletter.consent.signups import slow_lane
from newsletter.consent.wordings.wordings import Wording
from newsletter.content.feeds.feeds import ACTIVE, Feed
from newsletter.content.issues.transitions import EXPIRED
from newsletter.doctor import queue_age
from newsletter.languages.languages import english_name
from newsletter.mail.pace import notices
from newsletter.newsletters import Newsletter
from newsletter.operators.grants import Grants
from newsletter.queues import heartbeats
from newsletter.queues.wakeups import Queue
from newsletter.web.desk import near_times
from newsletter.web.desk.today.open_issues import OpenIssue
from newsletter.web.monitoring.health import HEARTBEAT_LATE, LETTER_LATE

MAX_FEEDS = 5  # that are named; the others are counted
LATELY = timedelta(days=7)
RELAY_TAGS = {"lasting": "Cannot send", "halted": "Sending waits", "slowed": "Slowed down"}


class Concern(NamedTuple):
    """One thing that needs a person."""

    tag: str
    is_bad: bool  # else it is a warning
    says: str
    about: str = ""  # what it is about; with a path, a link
    path: str = ""
    quoted: str = ""  # the words of a server, as they came


def of_issues(paused: list[OpenIssue], reasons: dict[int, str]) -> list[Concern]:
    """Return the paused issues, with the reason if a worker paused them."""
    return [
        Concern(
            "Paused",
            is_bad=each.issue.id in reasons,
            says="stopped by itself. Resume it when the cause is gone."
            if each.issue.id in reasons
            else "was paused by a person. The letters that are left wait until somebody resumes it.",
            about=each.name,
            path=f"/desk/issues/{each.issue.id}",
            quoted=reasons.get(each.issue.id, ""),
        )
        for each in paused
    ]


def of_expired_drafts(session: Session, grants: Grants, *, zone: str, now: datetime) -> list[Concern]:
    """Return how many drafts of the last week nobody approved in time. It reads the entries of that week."""
    recent = AuditEntry.at > now - LATELY, AuditEntry.verb == f"issue {EXPIRED}", grants.among(AuditEntry.newsletter_id)
    number, last = session.execute(select(func.count(), func.max(AuditEntry.at)).where(*recent)).one()
    if not number:
        return []
    drafts = "1 draft" if number == 1 else f"{number:,} drafts"
    when = near_times.clock_time(last, zone=zone, now=now)
    says = f"that nobody approved in time, the last {when}. The articles are free for the next issue."
    return [Concern("Cancelled", is_bad=False, says=says, about=drafts, path="/desk/issues?state=cancelled")]


def of_feeds(session: Session, grants: Grants, *, zone: str, now: datetime) -> list[Concern]:
    """Return the feeds that cannot be read, the one that fails longest first."""
    failing = select(Feed, func.count().over()).where(Feed.failures > 0, ACTIVE, grants.among(Feed.newsletter_id))
    rows = session.execute(failing.order_by(Feed.failures.desc(), Feed.id).limit(MAX_FEEDS)).all()
    concerns = [
        Concern(
            "Feed silent",
            is_bad=True,
            says=f"{_since(feed, zone=zone, now=now)} Digests go on without it.",
            about=feed.shown_name,
            path=f"/desk/feeds/{feed.id}",
            quoted=feed.error or "",
        )
        for feed, _ in rows
    ]
    if rows and (others := rows[0][1] - len(rows)) > 0:
        says = f"{others:,} more {'feed cannot' if others == 1 else 'feeds cannot'} be read."
        concerns.append(Concern("Feeds silent", True, says, "All feeds", "/desk/feeds"))
    return concerns


def of_words(session: Session, newsletters: dict[int, Newsletter]) -> list[Concern]:
    """Return the newsletters that take no sign-ups in one of their languages, because no words are published in it."""
    single = select(Wording.newsletter_id, Wording.language).where(Wording.newsletters.is_(None)).distinct()
    published: dict[int, set[str]] = {}
    for newsletter_id, language in session.execute(single):
        published.setdefault(newsletter_id, set()).add(language)
    return [
        Concern(
            "No sign-ups",
            is_bad=False,
            says=f"takes no sign-ups in {', '.join(map(english_name, missing))}: no words of consent are published.",
            about=each.name,
            path=f"/desk/newsletters/{each.slug}/wordings",
        )
        for each in newsletters.values()
        if (missing := [tag for tag in each.languages if tag not in published.get(each.id, set())])
    ]


def of_service(session: Session, *, zone: str, now: datetime) -> list[Concern]:
    """Return what is wrong with workers, relays and queues; only for those who may see the whole service."""
    concerns = []
    beat = heartbeats.last(session, Queue.UPKEEP)
    if beat is None or now - beat > HEARTBEAT_LATE:
        since = f"since {near_times.clock_time(beat, zone=zone, now=now)}" if beat else "yet"
        concerns.append(Concern("No worker", True, f"No worker has reported {since}. Nothing is sent until one runs."))
    for notice in notices.current(session, now=now):
        since = near_times.clock_time(notice.since, zone=zone, now=now)
        says = f"Since {since}."
        place = notice.place[:1].upper() + notice.place[1:]
        tag = RELAY_TAGS[notice.severity]
        concerns.append(Concern(tag, notice.lasting, says, place, quoted=notice.says))
    oldest = queue_age.measure(session, now=now).oldest
    if oldest and now - oldest > LETTER_LATE:
        since = near_times.clock_time(oldest, zone=zone, now=now)
        concerns.append(Concern("Late", True, f"The letter that waits longest was due {since}."))
    if slow_lane.is_under_attack(session):
        says = "More people signed up than confirmation letters may leave an hour. Some wait for their turn."
        concerns.append(Concern("Slow lane", False, says))
    return concerns


def _since(feed: Feed, *, zone: str, now: datetime) -> str:
    if feed.failing_since:
        return f"has failed since {near_times.clock_time(feed.failing_since, zone=zone, now=now)}."
    return "cannot be read."  # since when, the release before did not note
