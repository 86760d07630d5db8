"""Mailings: an approved issue becomes a letter and a delivery for each of its readers."""

from datetime import datetime
from email import message_from_bytes, policy
from email.utils import format_datetime

from jinja2 import Environment
from sqlalchemy import exists, insert, literal, select
from sqlalchemy.orm import Session

from newsletter import templating
from newsletter.consent import subscribers
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
from newsletter.content import issues
from newsletter.content.issues import Issue
from newsletter.content.issues import Status as IssueStatus
from newsletter.errors import Refused
from newsletter.newsletters import Newsletter
from newsletter.post import letters
from newsletter.post.composing import compose
from newsletter.post.deliveries import OPEN, Delivery, Status
from newsletter.post.letters import Kind, Letter, Priority, Variant
from newsletter.post.merge import Sheet

SQLITE_MOST = 20_000  # readers


def lay_out(session: Session, issue: Issue, *, templates: Environment, base_url: str) -> Sheet:
    """The issue's letter, as its readers will get it."""
    newsletter = session.get_one(Newsletter, issue.newsletter_id)
    edition = issues.edition(session, issue, base_url=base_url)
    return compose(
        templates,
        "digest",
        newsletter=newsletter,
        base_url=base_url,
        stream=f"issue{issue.id}",
        fields=("preferences", "greeting"),
        issue={
            "number": edition.number,
            "title": edition.title,
            "date": templating.day(templating.local(issue.run_at, newsletter.zone)),
            "articles": edition.articles,
        },
        archive_url=f"{base_url}/archive/{newsletter.slug}/{edition.number}",
        archive_index_url=f"{base_url}/archive/{newsletter.slug}",
        signup_url=f"{base_url}/n/{newsletter.slug}",
    )


def preview(session: Session, issue: Issue, *, templates: Environment, base_url: str) -> dict[str, str]:
    """The letter as `text`, `html` and `source`, with each reader's own fields shown by name."""
    sheet = lay_out(session, issue, templates=templates, base_url=base_url)
    values = dict.fromkeys(sheet.fields, f"{base_url}/preview") | {
        "to": "reader@example.org",
        "date": format_datetime(issue.run_at.replace(microsecond=0)),
        "message_id": "<preview@example.org>",
        "greeting": "Dear reader,",
    }
    source = b"".join(sheet.fill(values))
    message = message_from_bytes(source, policy=policy.default)
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    assert html
    assert text
    return {"text": text.get_content(), "html": html.get_content(), "source": source.decode("ascii")}


def send(session: Session, issue: Issue, *, templates: Environment, base_url: str, now: datetime) -> Letter:
    """Begin to send an approved issue: its letter is stored, and every reader of this moment is owed one.

    Raises Refused for an issue that is not approved, and for more readers than SQLite can serve.
    """
    readers = subscribers.count(session, issue.newsletter_id)
    if session.get_bind().dialect.name == "sqlite" and readers > SQLITE_MOST:
        raise Refused(
            f"This issue has {readers:,} readers. SQLite has one writer at a time and is meant for some thousand; "
            f"beyond {SQLITE_MOST:,} set NEWSLETTER_DATABASE_URL to a PostgreSQL database."
        )
    issues.begin_sending(session, issue, now=now)
    sheet = lay_out(session, issue, templates=templates, base_url=base_url)
    newsletter = session.get_one(Newsletter, issue.newsletter_id)
    letter, variant = letters.write(
        session,
        kind=Kind.ISSUE,
        occasion=f"issue:{issue.id}",
        newsletter_id=newsletter.id,
        issue_id=issue.id,
        sheet=sheet,
        language=newsletter.language,
        priority=Priority.BULK,
        audience=0,
        now=now,
    )
    letter.audience = _enqueue(session, letter, variant, now=now)
    session.flush()
    return letter


def _enqueue(session: Session, letter: Letter, variant: Variant, *, now: datetime) -> int:
    """One delivery for each reader, in one statement; returns how many there are."""
    owed = {
        "letter_id": letter.id,
        "variant_id": variant.id,
        "status": Status.QUEUED.value,
        "priority": int(letter.priority),
        "attempt": 0,
        "deferrals": 0,
        "doubts": 0,
        "deaths": 0,
    }
    readers = (
        select(
            Subscription.subscriber_id,
            *(literal(value).label(name) for name, value in owed.items()),
            literal(now, Delivery.due_at.type).label("due_at"),
            literal(now, Delivery.due_at.type).label("queued_at"),
        )
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(Subscription.newsletter_id == letter.newsletter_id, Subscription.standing == Standing.SUBSCRIBED)
        .where(Subscriber.suppressed.is_(None))
        .order_by(Subscription.subscriber_id)
    )
    made = session.execute(insert(Delivery).from_select(["subscriber_id", *owed, "due_at", "queued_at"], readers))
    return int(made.rowcount)  # type: ignore[attr-defined]  # an INSERT's result has it


def send_approved(session: Session, *, templates: Environment, base_url: str, now: datetime) -> int:
    """Begin every issue that is approved and due; returns how many there were."""
    approved = select(Issue).where(Issue.status == IssueStatus.APPROVED, Issue.run_at <= now)
    due = session.scalars(approved.order_by(Issue.run_at).with_for_update(skip_locked=True)).all()
    for issue in due:
        send(session, issue, templates=templates, base_url=base_url, now=now)
    return len(due)


def finish(session: Session, *, now: datetime) -> int:
    """Call sent every issue whose deliveries are all decided; returns how many there were."""
    undecided = exists().where(Letter.issue_id == Issue.id, Delivery.letter_id == Letter.id, Delivery.status.in_(OPEN))
    sending = select(Issue).where(Issue.status == IssueStatus.SENDING, ~undecided).with_for_update(skip_locked=True)
    done = session.scalars(sending).all()
    for issue in done:
        issues.finish(session, issue, now=now)
    return len(done)
