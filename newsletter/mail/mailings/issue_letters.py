"""Turn each approved issue into one letter and a delivery for each of its readers."""

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
from newsletter.content.issues import issues
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.errors import NewsletterError, Refused
from newsletter.languages.languages import ENGLISH
from newsletter.mail.delivery import deliveries
from newsletter.mail.delivery.deliveries import OPEN, Delivery, has_status, undecided
from newsletter.mail.letters import letters
from newsletter.mail.letters.composing import compose
from newsletter.mail.letters.letters import Letter, LetterKind, Priority
from newsletter.mail.letters.merge import Sheet
from newsletter.newsletters import Newsletter
from newsletter.redaction import log_failure
from newsletter.store.database import Begin, is_on_sqlite
from newsletter.store.database_errors import is_unavailable

MAX_SQLITE_READERS = 20_000
MAX_HTML_BYTES = 90_000

log = logging.getLogger(__name__)


def lay_out(session: Session, issue: Issue, *, templates: Environment, base_url: str) -> Sheet:
    """Return the letter of an issue, laid out as its readers will get it."""
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
            "date": ENGLISH.day(templating.local(issue.run_at, newsletter.zone)),
            "articles": edition.articles,
        },
        archive_url=f"{base_url}/archive/{newsletter.slug}/{edition.number}",
        archive_index_url=f"{base_url}/archive/{newsletter.slug}",
        signup_url=f"{base_url}/n/{newsletter.slug}",
    )


def preview(session: Session, issue: Issue, *, templates: Environment, base_url: str) -> dict[str, str]:
    """Return the letter as `text`, `html` and `source`, with example values in the fields."""
    source, html, text = _example(lay_out(session, issue, templates=templates, base_url=base_url), issue, base_url)
    return {"text": text.get_content(), "html": html.get_content(), "source": source.decode("ascii")}


def check(session: Session, issue: Issue, *, templates: Environment, base_url: str) -> Sheet:
    """Return the letter of an issue. Raises Refused, with what to correct, if it is broken or too long for Gmail."""
    try:
        sheet = lay_out(session, issue, templates=templates, base_url=base_url)
    except TemplateError as error:
        raise Refused(f"The letter cannot be laid out: {error}") from error
    _, html, _ = _example(sheet, issue, base_url)
    # Sources differ on whether Gmail counts the decoded or the encoded HTML.
    size = max(len(html.get_content().encode()), len(html.as_bytes()))
    if size > MAX_HTML_BYTES:
        raise Refused(
            f"The HTML of the letter has {size:,} bytes; the limit is {MAX_HTML_BYTES:,}. Gmail hides everything after "
            "about 102,000 bytes, including the unsubscribe link. Draft the issue with fewer articles."
        )
    return sheet


def _example(sheet: Sheet, issue: Issue, base_url: str) -> tuple[bytes, MIMEPart, MIMEPart]:
    """Return a letter with example values: its source, its HTML part and its text part."""
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
    """Begin to send every approved issue that is due, each in a transaction of its own; return how many began.

    An issue that cannot be sent is paused, with the reason in the audit log. It does not block the others, and is not
    tried again before an operator resumes it. Raises the error if the database is unavailable.
    """
    begun = 0
    while True:
        number = None
        try:
            with begin() as session:
                issue = _next_due(session, now)
                if issue is None:
                    return begun
                number = issue.id
                readers = send(session, issue, templates=templates, base_url=base_url, now=now).audience
            log.info("issue begun", extra={"issue": number, "readers": readers})
            begun += 1
        except Exception as error:
            if number is None or is_unavailable(error):  # the database failed, not the issue
                raise
            log_failure(log, "an issue cannot be sent", error, issue=number)
            with begin() as session:
                _pause(session, number, error, now=now)


def _next_due(session: Session, now: datetime) -> Issue | None:
    """Return the issue due longest that has no letter, locked: approved, or resumed after it could not be sent."""
    written = exists().where(Letter.issue_id == Issue.id)
    is_due = or_(
        and_(Issue.status == IssueStatus.APPROVED, Issue.run_at <= now),
        and_(Issue.status == IssueStatus.SENDING, ~written),
    )
    due = select(Issue).where(is_due).order_by(Issue.run_at, Issue.id)
    return session.scalar(due.limit(1).with_for_update(skip_locked=True))


def _pause(session: Session, number: int, error: Exception, *, now: datetime) -> None:
    issue = session.get_one(Issue, number, with_for_update=True)
    if issue.status is IssueStatus.APPROVED:
        issues.begin_sending(session, issue, actor=audit_log.WORKER, now=now)
    if issue.status is IssueStatus.SENDING:
        message = str(error) if isinstance(error, NewsletterError | TemplateError) else ""
        reason = message or type(error).__name__
        issues.pause(session, issue, actor=audit_log.WORKER, now=now, reason=reason)


def send(session: Session, issue: Issue, *, templates: Environment, base_url: str, now: datetime) -> Letter:
    """Begin to send an approved issue: store its letter and a delivery for every current reader; return the letter.

    An issue that was paused and resumed before it had a letter gets it now. Raises Refused if the issue is neither such
    an issue nor approved, if it has more readers than SQLite can serve, and as `check` does.
    """
    _check_sqlite_limit(session, issue)
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
    if not is_on_sqlite(session):
        session.execute(text("SET LOCAL statement_timeout = 0"))  # a million inserts take more than a minute
    letter.audience = deliveries.owe_each(session, letter, variant, _readers(newsletter.id), now=now)
    session.flush()
    return letter


def _check_sqlite_limit(session: Session, issue: Issue) -> None:
    readers = subscribers.count(session, issue.newsletter_id)
    if is_on_sqlite(session) and readers > MAX_SQLITE_READERS:
        raise Refused(
            f"This issue has {readers:,} readers. SQLite allows one writer at a time and suits a few thousand readers. "
            f"For more than {MAX_SQLITE_READERS:,}, set NEWSLETTER_DATABASE_URL to a PostgreSQL database."
        )


def _readers(newsletter_id: int) -> Select[int]:
    """Return a query for the ids of all subscribers to write to, in order."""
    return (
        select(Subscription.subscriber_id)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(Subscription.newsletter_id == newsletter_id, Subscription.standing == Standing.SUBSCRIBED)
        .where(Subscriber.suppressed.is_(None))
        .order_by(Subscription.subscriber_id)
    )


def finish(session: Session, *, now: datetime, letter_ids: Collection[int] | None = None) -> list[int]:
    """Mark every issue sent once all its deliveries are final; return the ids of those issues.

    `letter_ids` limits the search to letters that may be done. Searching one that is not can be slow: PostgreSQL steps
    over the index entries of everything sent, while an open snapshot keeps them from being cleaned up.
    """
    written = exists().where(Letter.issue_id == Issue.id)
    owed = written.where(Delivery.letter_id == Letter.id, undecided(Priority.BULK), has_status(*OPEN))
    sending = select(Issue).where(Issue.status == IssueStatus.SENDING, written, ~owed)
    if letter_ids is not None:
        sending = sending.where(exists().where(Letter.issue_id == Issue.id, Letter.id.in_(letter_ids)))
    done = session.scalars(sending.with_for_update(skip_locked=True)).all()
    for issue in done:
        issues.mark_sent(session, issue, actor=audit_log.WORKER, now=now)
    return [issue.id for issue in done]
