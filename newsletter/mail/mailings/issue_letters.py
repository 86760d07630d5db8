"""Turn each approved issue into one letter and a delivery for each of its readers."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from email import message_from_bytes, policy
from email.message import MIMEPart
from email.utils import format_datetime

from jinja2 import TemplateError
from sqlalchemy import Select, and_, case, exists, literal, or_, select, text
from sqlalchemy.orm import Session

from newsletter import audit_log, templating
from newsletter.consent import subscribers
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
from newsletter.content import logos
from newsletter.content.issues import headings, issues
from newsletter.content.issues.editions import Edition, Image
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.errors import NewsletterError, Refused
from newsletter.languages.languages import Language, language
from newsletter.mail.delivery import deliveries, words
from newsletter.mail.delivery.deliveries import OPEN, Delivery, has_status, undecided
from newsletter.mail.letters import letters, worded_fields
from newsletter.mail.letters.composing import compose
from newsletter.mail.letters.letters import Letter, LetterKind, Priority
from newsletter.mail.letters.merge import Sheet
from newsletter.newsletters import Newsletter
from newsletter.redaction import log_failure
from newsletter.store.database import ID_TYPE, Begin, is_on_sqlite
from newsletter.store.database_errors import is_unavailable
from newsletter.templating import Templates

MAX_SQLITE_READERS = 20_000
MAX_HTML_BYTES = 90_000
MAX_LOGO_WIDTH, MAX_LOGO_HEIGHT = 200, 80  # pixels, as shown

log = logging.getLogger(__name__)


def lay_out(session: Session, issue: Issue, spoken: Language, *, templates: Templates, base_url: str) -> Sheet:
    """Return the letter of an issue in a language, laid out as its readers will get it."""
    newsletter = session.get_one(Newsletter, issue.newsletter_id)
    edition = issues.edition(session, issue, base_url=base_url)
    return compose(
        templates,
        "digest",
        language=spoken,
        newsletter=newsletter,
        base_url=base_url,
        stream=f"issue{issue.id}",
        fields=("mailbox", "preferences", "greeting"),
        issue={
            "number": edition.number,
            "title": _subject(issue, edition, newsletter, spoken),
            "heading": edition.heading,
            "introduction": edition.introduction,
            "date": spoken.day(templating.local(issue.run_at, newsletter.zone)),
            "articles": edition.articles,
        },
        logo=_logo(session, newsletter, base_url),
        archive_url=f"{base_url}/archive/{newsletter.slug}/{edition.number}",
        archive_index_url=f"{base_url}/archive/{newsletter.slug}",
        signup_url=f"{base_url}/n/{newsletter.slug}",
    )


def _subject(issue: Issue, edition: Edition, newsletter: Newsletter, spoken: Language) -> str:
    """Return the subject: the stored one, or the same made from the headlines in another language."""
    if not issue.has_generated_title or spoken.tag == language(newsletter.language).tag:
        return edition.title
    return headings.headline([article.title for article in edition.articles], spoken)


def _logo(session: Session, newsletter: Newsletter, base_url: str) -> Image | None:
    """Return the newsletter's logo as large as it is shown: at half the size of its file, for sharp screens."""
    logo = logos.shown(session, newsletter, base_url=base_url)
    if logo is None:
        return None
    scale = min(1 / 2, MAX_LOGO_WIDTH / logo.width, MAX_LOGO_HEIGHT / logo.height)
    return replace(logo, width=max(1, round(logo.width * scale)), height=max(1, round(logo.height * scale)))


def preview(
    session: Session, issue: Issue, *, templates: Templates, base_url: str, tag: str | None = None
) -> dict[str, str]:
    """Return the letter as `text`, `html` and `source`, with example values in the fields.

    `tag` is a reader's language; without it, the letter is in the newsletter's. A language without a catalogue is
    English, as for its readers.
    """
    spoken = language(tag or session.get_one(Newsletter, issue.newsletter_id).language)
    sheet = lay_out(session, issue, spoken, templates=templates, base_url=base_url)
    source, html, text = _example(sheet, issue, spoken, base_url)
    return {"text": text.get_content(), "html": html.get_content(), "source": source.decode("ascii")}


def check(session: Session, issue: Issue, *, templates: Templates, base_url: str) -> dict[str, Sheet]:
    """Return the letter of an issue in each language that the newsletter offers or readers have, its own first.

    Raises Refused, with what to correct, if one is broken or too long for Gmail.
    """
    newsletter = session.get_one(Newsletter, issue.newsletter_id)
    offered = [newsletter.language, *(newsletter.other_languages or ()), *_chosen_languages(session, newsletter.id)]
    spoken = {each.tag: each for each in map(language, offered)}
    return {tag: _checked(session, issue, each, templates, base_url) for tag, each in spoken.items()}


def _checked(session: Session, issue: Issue, spoken: Language, templates: Templates, base_url: str) -> Sheet:
    try:
        sheet = lay_out(session, issue, spoken, templates=templates, base_url=base_url)
    except TemplateError as error:
        raise Refused(f"The letter cannot be laid out: {error}") from error
    _, html, _ = _example(sheet, issue, spoken, base_url)
    # Sources differ on whether Gmail counts the decoded or the encoded HTML.
    size = max(len(html.get_content().encode()), len(html.as_bytes()))
    if size > MAX_HTML_BYTES:
        raise Refused(
            f"The HTML of the letter ({spoken.tag}) has {size:,} bytes; the limit is {MAX_HTML_BYTES:,}. Gmail hides "
            "everything after about 102,000 bytes, including the unsubscribe link. Draft the issue with fewer articles."
        )
    return sheet


def _example(sheet: Sheet, issue: Issue, spoken: Language, base_url: str) -> tuple[bytes, MIMEPart, MIMEPart]:
    """Return a letter with example values: its source, its HTML part and its text part."""
    values = {
        "unsubscribe": f"{base_url}/u/preview",
        "preferences": f"{base_url}/preferences/preview",
        "mailbox": "reader@example.org",
        "date": format_datetime(issue.run_at.replace(microsecond=0)),
        "message_id": "<preview@example.org>",
        worded_fields.named("greeting", spoken.tag): words.nameless_greeting(spoken),
    }
    source = b"".join(sheet.fill(values))
    message = message_from_bytes(source, policy=policy.default)
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    assert html
    assert text
    return source, html, text


def send_approved(begin: Begin, *, templates: Templates, base_url: str, now: datetime) -> int:
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


def send(session: Session, issue: Issue, *, templates: Templates, base_url: str, now: datetime) -> Letter:
    """Begin to send an approved issue: store its letter and a delivery for every current reader; return the letter.

    The letter has a variant in each language of the readers, all of them before the first delivery.
    An issue that was paused and resumed before it had a letter gets it now. Raises Refused if the issue is neither such
    an issue nor approved, if it has more readers than SQLite can serve, and as `check` does.
    """
    _check_sqlite_limit(session, issue)
    if issue.status is not IssueStatus.SENDING:
        issues.begin_sending(session, issue, actor=audit_log.WORKER, now=now)
    sheets = check(session, issue, templates=templates, base_url=base_url)
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
    others = _write_others(session, letter, {tag: sheet for tag, sheet in sheets.items() if tag != main})
    if not is_on_sqlite(session):
        session.execute(text("SET LOCAL statement_timeout = 0"))  # a million inserts take more than a minute
    letter.audience = deliveries.owe_each(session, letter, _readers(newsletter.id, variant.id, others), now=now)
    session.flush()
    return letter


def _write_others(session: Session, letter: Letter, sheets: Mapping[str, Sheet]) -> dict[str, int]:
    """Store the variants that readers need beside the newsletter's own; return their ids by the readers' languages."""
    written: dict[str, int] = {}
    by_reader: dict[str, int] = {}
    for chosen in _chosen_languages(session, letter.newsletter_id):
        tag = language(chosen).tag
        if tag in sheets:
            if tag not in written:
                written[tag] = letters.add_variant(session, letter, sheets[tag], language=tag).id
            by_reader[chosen] = written[tag]
    return by_reader


def _chosen_languages(session: Session, newsletter_id: int) -> list[str]:
    """Return the languages that readers have chosen themselves, as they are stored."""
    chosen = select(Subscription.language).where(
        Subscription.newsletter_id == newsletter_id,
        Subscription.standing == Standing.SUBSCRIBED,
        Subscription.language.is_not(None),
    )
    return sorted(tag for tag in session.scalars(chosen.distinct()) if tag)


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
        issues.mark_sent(session, issue, actor=audit_log.WORKER, now=now)
    return [issue.id for issue in done]
