"""Mailings: an approved issue becomes a letter and a delivery for each of its readers."""

import logging
from collections.abc import Collection
from datetime import datetime
from email import message_from_bytes, policy
from email.message import MIMEPart
from email.utils import format_datetime

from jinja2 import Environment, TemplateError
from sqlalchemy import Select, and_, exists, or_, select, text
from sqlalchemy.orm import Session

from newsletter import audit_log, templating
from newsletter.consent import subscribers
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
from newsletter.content import issues
from newsletter.content.issues import Issue, IssueStatus
from newsletter.errors import NewsletterError, Refused
from newsletter.mail.delivery import deliveries
from newsletter.mail.delivery.deliveries import OPEN, Delivery, has_status, undecided
from newsletter.mail.letters import letters
from newsletter.mail.letters.composing import compose
from newsletter.mail.letters.letters import Letter, LetterKind, Priority
from newsletter.mail.letters.merge import Sheet
from newsletter.newsletters import Newsletter
from newsletter.redaction import log_failure
from newsletter.store.database import Begin
from newsletter.store.database_errors import is_unavailable

SQLITE_MOST = 20_000  # readers
LARGEST = 90_000  # bytes of HTML

log = logging.getLogger(__name__)


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
        fields=("mailbox", "preferences", "greeting"),
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
    """The letter as `text`, `html` and `source`, with what is each reader's own shown by an example."""
    source, html, text = _example(lay_out(session, issue, templates=templates, base_url=base_url), issue, base_url)
    return {"text": text.get_content(), "html": html.get_content(), "source": source.decode("ascii")}


def check(session: Session, issue: Issue, *, templates: Environment, base_url: str) -> Sheet:
    """The issue's letter, where all of it can be written and read. Raises Refused with what is to be mended."""
    try:
        sheet = lay_out(session, issue, templates=templates, base_url=base_url)
    except TemplateError as error:
        raise Refused(f"The letter cannot be laid out: {error}") from error
    _, html, _ = _example(sheet, issue, base_url)
    # What Gmail counts is disputed: the text, or what it is on the wire.
    size = max(len(html.get_content().encode()), len(html.as_bytes()))
    if size > LARGEST:
        raise Refused(
            f"The letter's HTML has {size:,} bytes, and at most {LARGEST:,} are sent: Gmail hides what comes after "
            "some 102,000, the link to leave among it. Draft the issue with fewer articles."
        )
    return sheet


def _example(sheet: Sheet, issue: Issue, base_url: str) -> tuple[bytes, MIMEPart, MIMEPart]:
    """The letter to nobody: all of it, and its parts in HTML and in text."""
    values = {
        "unsubscribe": f"{base_url}/u/preview",
        "preferences": f"{base_url}/preferences/preview",
        "mailbox": "reader@example.org",
        "date": format_datetime(issue.run_at.replace(microsecond=0)),
        "message_id": "<preview@example.org>",
        "greeting": "Dear reader,",
    }
    source = b"".join(sheet.fill(values))
    message = message_from_bytes(source, policy=policy.default)
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    assert html
    assert text
    return source, html, text


def send_approved(begin: Begin, *, templates: Environment, base_url: str, now: datetime) -> int:
    """Begin every issue that is approved and due, each in a transaction of its own; returns how many began.

    One that cannot be sent is paused, with the reason among the acts: it holds up no other, and is not tried again
    before somebody resumes it.
    """
    begun = 0
    while True:
        number = None
        try:
            with begin() as session:
                issue = _next(session, now)
                if issue is None:
                    return begun
                number = issue.id
                readers = send(session, issue, templates=templates, base_url=base_url, now=now).audience
            log.info("issue begun", extra={"issue": number, "readers": readers})
            begun += 1
        except Exception as error:
            if number is None or is_unavailable(error):  # the database's trouble, not the issue's
                raise
            log_failure(log, "an issue cannot be sent", error, issue=number)
            with begin() as session:
                _set_aside(session, number, error, now=now)


def _next(session: Session, now: datetime) -> Issue | None:
    """The issue longest due that has no letter yet, locked: approved, or resumed after it was set aside."""
    written = exists().where(Letter.issue_id == Issue.id)
    is_due = or_(
        and_(Issue.status == IssueStatus.APPROVED, Issue.run_at <= now),
        and_(Issue.status == IssueStatus.SENDING, ~written),
    )
    due = select(Issue).where(is_due).order_by(Issue.run_at, Issue.id)
    return session.scalar(due.limit(1).with_for_update(skip_locked=True))


def _set_aside(session: Session, number: int, error: Exception, *, now: datetime) -> None:
    issue = session.get_one(Issue, number, with_for_update=True)
    if issue.status is IssueStatus.APPROVED:
        issues.begin_sending(session, issue, actor=audit_log.WORKER, now=now)
    if issue.status is IssueStatus.SENDING:
        said = str(error) if isinstance(error, NewsletterError | TemplateError) else ""
        reason = said or type(error).__name__
        issues.pause(session, issue, actor=audit_log.WORKER, now=now, reason=reason)


def send(session: Session, issue: Issue, *, templates: Environment, base_url: str, now: datetime) -> Letter:
    """Begin to send an approved issue: its letter is stored, and every reader of this moment is owed one.

    One that was resumed before it had a letter gets it now. Raises Refused for any other that is not approved, and for
    more readers than SQLite can serve, and as `check` does.
    """
    _mind_sqlite(session, issue)
    if issue.status is not IssueStatus.SENDING:
        issues.begin_sending(session, issue, actor=audit_log.WORKER, now=now)
    sheet = check(session, issue, templates=templates, base_url=base_url)
    newsletter = session.get_one(Newsletter, issue.newsletter_id)
    letter, variant = letters.write(
        session,
        kind=LetterKind.ISSUE,
        occasion=f"issue:{issue.id}",
        newsletter_id=newsletter.id,
        issue_id=issue.id,
        sheet=sheet,
        language=newsletter.language,
        priority=Priority.BULK,
        audience=0,
        now=now,
    )
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL statement_timeout = 0"))  # a million readers are more than a minute's work
    letter.audience = deliveries.owe_each(session, letter, variant, _readers(newsletter.id), now=now)
    session.flush()
    return letter


def _mind_sqlite(session: Session, issue: Issue) -> None:
    readers = subscribers.count(session, issue.newsletter_id)
    if session.get_bind().dialect.name == "sqlite" and readers > SQLITE_MOST:
        raise Refused(
            f"This issue has {readers:,} readers. SQLite has one writer at a time and is meant for some thousand; "
            f"beyond {SQLITE_MOST:,} set NEWSLETTER_DATABASE_URL to a PostgreSQL database."
        )


def _readers(newsletter_id: int) -> Select[int]:
    """The ids of all subscribers who may be written to, in order."""
    return (
        select(Subscription.subscriber_id)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(Subscription.newsletter_id == newsletter_id, Subscription.standing == Standing.SUBSCRIBED)
        .where(Subscriber.suppressed.is_(None))
        .order_by(Subscription.subscriber_id)
    )


def finish(session: Session, *, now: datetime, among: Collection[int] | None = None) -> list[int]:
    """Call sent every issue whose deliveries are all decided; returns which they are.

    `among`, where it is given, names the letters that may be done: asking about one that is not means to step over all
    that was sent of it and cannot be cleaned up yet.
    """
    mine = exists().where(Letter.issue_id == Issue.id)
    owed = mine.where(Delivery.letter_id == Letter.id, undecided(Priority.BULK), has_status(*OPEN))
    sending = select(Issue).where(Issue.status == IssueStatus.SENDING, mine, ~owed)
    if among is not None:
        sending = sending.where(exists().where(Letter.issue_id == Issue.id, Letter.id.in_(among)))
    done = session.scalars(sending.with_for_update(skip_locked=True)).all()
    for issue in done:
        issues.finish(session, issue, actor=audit_log.WORKER, now=now)
    return [issue.id for issue in done]
