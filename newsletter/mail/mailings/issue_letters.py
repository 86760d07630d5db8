"""Turn each approved issue into one letter and a delivery for each of its readers."""

import logging
from collections.abc import Collection, Mapping
from datetime import datetime

from jinja2 import TemplateError
from sqlalchemy import Select, and_, case, exists, literal, or_, select, text
from sqlalchemy.orm import Session

from newsletter import audit_log
from newsletter.consent.subscribers import subscribers
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.content.issues import approvals, transitions
from newsletter.content.issues.approvals import ContentChanged
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.errors import NewsletterError, Refused
from newsletter.languages.languages import language
from newsletter.mail.delivery import deliveries, moved_deliveries
from newsletter.mail.delivery.deliveries import OPEN, Delivery, has_status, undecided
from newsletter.mail.letters import letters
from newsletter.mail.letters.letters import Letter, LetterKind, Priority
from newsletter.mail.letters.merge import Sheet
from newsletter.mail.mailings import issue_layout
from newsletter.newsletters import Newsletter
from newsletter.redaction import log_failure
from newsletter.store.database import ID_TYPE, Begin, is_on_sqlite
from newsletter.store.database_errors import is_unavailable
from newsletter.templating import Templates

MAX_SQLITE_READERS = 20_000
DIFFERS = "The design or the languages of the letter, or the name of a feed, have changed since the approval."

log = logging.getLogger(__name__)


def send_approved(begin: Begin, *, templates: Templates, base_url: str, now: datetime) -> int:
    """Begin to send every approved issue that is due, each in a transaction of its own; return how many began.

    An issue that cannot be sent is paused, with the reason in the audit log. It does not block the others, and is not
    tried again before an operator resumes it. One that differs from what a person approved is a draft again. Raises the
    error if the database is unavailable.
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
                _set_aside(session, number, error, now=now)


def _next_due(session: Session, now: datetime) -> Issue | None:
    """Return the issue due longest that has no letter, locked: approved, or resumed after it could not be sent."""
    written = exists().where(Letter.issue_id == Issue.id)
    is_due = or_(
        and_(Issue.status == IssueStatus.APPROVED, Issue.planned_at <= now),
        and_(Issue.status == IssueStatus.SENDING, ~written),
    )
    due = select(Issue).where(is_due).order_by(Issue.planned_at, Issue.id)
    return session.scalar(due.limit(1).with_for_update(skip_locked=True))


def _set_aside(session: Session, number: int, error: Exception, *, now: datetime) -> None:
    issue = session.get_one(Issue, number, with_for_update=True)
    if issue.status is IssueStatus.APPROVED and isinstance(error, ContentChanged):
        approvals.return_to_draft(session, issue, reason=str(error), actor=audit_log.WORKER, now=now)
        return
    if issue.status is IssueStatus.APPROVED:
        transitions.begin_sending(session, issue, actor=audit_log.WORKER, now=now)
    if issue.status is IssueStatus.SENDING:
        message = str(error) if isinstance(error, NewsletterError | TemplateError) else ""
        reason = message or type(error).__name__
        transitions.pause(session, issue, actor=audit_log.WORKER, now=now, reason=reason)


def send(session: Session, issue: Issue, *, templates: Templates, base_url: str, now: datetime) -> Letter:
    """Begin to send an approved issue: store its letter and a delivery for every current reader; return the letter.

    The letter has a variant in each language of the readers, all of them before the first delivery.
    An issue that was paused and resumed before it had a letter gets it now. Raises Refused if the issue is neither such
    an issue nor approved, if it has more readers than SQLite can serve, and as `issue_layout.check` does; and
    ContentChanged if it differs from what was approved.
    """
    _check_sqlite_limit(session, issue)
    _check_approval(session, issue, now=now)
    if issue.status is not IssueStatus.SENDING:
        transitions.begin_sending(session, issue, actor=audit_log.WORKER, now=now)
    checked = issue_layout.check(session, issue, templates=templates, base_url=base_url)
    sheets = {tag: each.sheet for tag, each in checked.items()}
    newsletter = session.get_one(Newsletter, issue.newsletter_id)
    main = language(newsletter.language).tag
    letter, variant = letters.write(
        session,
        kind=LetterKind.ISSUE,
        occasion=f"issue:{issue.id}",
        newsletter_id=newsletter.id,
        issue_id=issue.id,
        sheet=sheets[main],
        language=main,
        priority=Priority.BULK,
        audience=0,
        now=now,
    )
    others = _write_others(session, letter, newsletter.id, {tag: sheet for tag, sheet in sheets.items() if tag != main})
    if not is_on_sqlite(session):
        session.execute(text("SET LOCAL statement_timeout = 0"))  # a million inserts take more than a minute
    letter.audience = deliveries.owe_each(session, letter, _readers(newsletter.id, variant.id, others), now=now)
    session.flush()
    moved_deliveries.hand_over_new(session, letter)
    return letter


def _check_approval(session: Session, issue: Issue, *, now: datetime) -> None:
    """Raise ContentChanged if readers would get something else than what a person approved.

    What no person approved needs none to look again: the scheduler's approval is renewed.
    """
    if approvals.is_as_approved(session, issue):
        return
    if issue.actor != audit_log.SCHEDULER:
        raise ContentChanged(DIFFERS)
    approvals.renew(session, issue, actor=audit_log.SCHEDULER, now=now)


def _write_others(session: Session, letter: Letter, newsletter_id: int, sheets: Mapping[str, Sheet]) -> dict[str, int]:
    """Store the variants that readers need beside the newsletter's own; return their ids by the readers' languages."""
    written: dict[str, int] = {}
    by_reader: dict[str, int] = {}
    for chosen in issue_layout.chosen_languages(session, newsletter_id):
        tag = language(chosen).tag
        if tag in sheets:
            if tag not in written:
                written[tag] = letters.add_variant(session, letter, sheets[tag], language=tag).id
            by_reader[chosen] = written[tag]
    return by_reader


def _check_sqlite_limit(session: Session, issue: Issue) -> None:
    readers = subscribers.count(session, issue.newsletter_id)
    if is_on_sqlite(session) and readers > MAX_SQLITE_READERS:
        raise Refused(
            f"This issue has {readers:,} readers. SQLite allows one writer at a time and suits a few thousand readers. "
            f"For more than {MAX_SQLITE_READERS:,}, set NEWSLETTER_DATABASE_URL to a PostgreSQL database."
        )


def _readers(newsletter_id: int, main: int, others: Mapping[str, int]) -> Select[int, int]:
    """Return a query for all subscribers to write to, in their order, each with the id of the variant in its language.

    `main` is the variant in the newsletter's language, for all readers whose language is not among `others`.
    """
    own = literal(main, ID_TYPE)
    variant = case(others, value=Subscription.language, else_=own) if others else own
    return (
        select(Subscription.subscriber_id, variant)
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
        transitions.mark_sent(session, issue, actor=audit_log.WORKER, now=now)
    return [issue.id for issue in done]
