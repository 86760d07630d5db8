"""Welcome each new reader with one letter, which may hold the newest issue.

The letter is owed in the transaction that confirms, and sent once no urgent letter is due, so it delays no
confirmation. It takes no ticket of its inbox: only the inbox's owner can confirm, by a letter that took one.
"""

import logging
from collections.abc import Collection
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import and_, exists, not_, or_, select
from sqlalchemy.orm import Session

from newsletter.consent.subscribers import subscribers
from newsletter.consent.subscribers.subscribers import Standing, Subscription
from newsletter.content.digests import digests
from newsletter.content.digests.explanation import DigestSchedule
from newsletter.content.issues import issues
from newsletter.content.issues.editions import Image
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.languages.languages import Language, language
from newsletter.mail.delivery import deliveries
from newsletter.mail.delivery.deliveries import WAITING, Delivery, DeliveryStatus, Owed, has_status
from newsletter.mail.letters import letters, newsletter_columns, totals
from newsletter.mail.letters.composing import compose
from newsletter.mail.letters.letters import Letter, LetterKind, Priority
from newsletter.mail.letters.merge import Sheet
from newsletter.mail.letters.newsletter_columns import NewsletterColumns
from newsletter.mail.mailings import issue_layout
from newsletter.mail.mailings.issue_layout import Example
from newsletter.newsletters import Newsletter
from newsletter.redaction import log_failure
from newsletter.templating import Templates

NOBODY = 0  # no subscriber has this id, so nobody was sent anything
NOT_WRITTEN = (DeliveryStatus.WITHHELD, DeliveryStatus.CANCELLED)  # a letter that nobody got

log = logging.getLogger(__name__)


class IncludedIssue(NamedTuple):
    """An issue as a welcome letter shows it."""

    id: int
    planned_at: datetime
    shown: tuple[tuple[str, Any], ...]  # the items of `issue_layout.shown_issue`


class WelcomeText(NamedTuple):
    """All that determines a welcome letter; it is the key of the laid-out one."""

    newsletter: NewsletterColumns
    schedule: DigestSchedule | None
    logo: Image | None
    archive_query: str
    issue: IncludedIssue | None


def owe(
    session: Session,
    subscriber_id: int,
    newsletter_ids: Collection[int],
    *,
    templates: Templates,
    base_url: str,
    now: datetime,
) -> int:
    """Owe the reader a welcome letter of each of these newsletters that sends one; return how many are owed.

    The caller has locked the subscriber and subscribed the person in this transaction. There is one letter for each
    time that a person subscribes; repeating the call owes no second one. A letter that cannot be laid out is logged and
    left out, because the person is subscribed all the same.
    """
    owed: list[Owed] = []
    for newsletter, since, tag in _welcoming(session, subscriber_id, newsletter_ids):
        occasion = f"welcome:{subscriber_id}:{newsletter.id}:{int(since.timestamp())}"
        if session.scalar(select(exists().where(Letter.occasion == occasion))):
            continue
        spoken = language(tag)
        issue = _unseen_issue(session, newsletter, subscriber_id, since)
        text = _text(session, newsletter, spoken, issue, base_url)
        sheet = _laid_out(templates, spoken, base_url, text)
        if sheet is None and issue:
            text = text._replace(issue=None)
            sheet = _laid_out(templates, spoken, base_url, text)
        if sheet is None:
            continue
        tagged = [(sheet, spoken.tag)]
        variants = totals.shared_variants(session, LetterKind.WELCOME, tagged, now=now, is_evidence=False)
        letter = letters.write_without_text(
            session,
            kind=LetterKind.WELCOME,
            occasion=occasion,
            newsletter_id=newsletter.id,
            priority=Priority.SOON,
            included_issue_id=text.issue.id if text.issue else None,
            now=now,
        )
        owed.append(Owed(letter.id, variants[sheet.sha256, spoken.tag], subscriber_id))
    if owed:
        deliveries.owe_all(session, owed, now=now, priority=Priority.SOON)
    return len(owed)


def example(session: Session, templates: Templates, newsletter: Newsletter, *, base_url: str) -> Example | None:
    """Return the letter as the next new reader would get it, with example values; None if it cannot be laid out."""
    spoken = language(newsletter.language)
    issue = _unseen_issue(session, newsletter, NOBODY, datetime.fromtimestamp(0, UTC))
    text = _text(session, newsletter, spoken, issue, base_url)
    sheet = _laid_out(templates, spoken, base_url, text)
    if sheet is None:
        return None
    date = text.issue.planned_at if text.issue else newsletter.created_at
    return issue_layout.example_of(sheet, spoken, base_url, date=date, headlines=0)


def _welcoming(
    session: Session, subscriber_id: int, newsletter_ids: Collection[int]
) -> list[tuple[Newsletter, datetime, str]]:
    """Return those of these newsletters that send a welcome, since when the person reads each, and the language."""
    read = (
        select(Newsletter, Subscription.since, subscribers.reading_language())
        .join(Subscription, Subscription.newsletter_id == Newsletter.id)
        .where(Subscription.subscriber_id == subscriber_id, Subscription.standing == Standing.SUBSCRIBED)
        .where(Newsletter.id.in_(newsletter_ids), Newsletter.sends_welcome.is_(True))
    )
    return [(row[0], row[1], row[2]) for row in session.execute(read.order_by(Newsletter.id))]


def _unseen_issue(session: Session, newsletter: Newsletter, subscriber_id: int, since: datetime) -> Issue | None:
    """Return the newest issue if the newsletter wants it in the letter and the reader was never sent it.

    It is one that is sent completely: who subscribes while an issue is being sent is not among its readers, and gets
    the one before it. So no letter of the included issue is still to come. A welcome of an earlier time that waits is
    none: its claim withholds it.
    """
    if not newsletter.welcome_has_issue:
        return None
    sent = select(Issue).where(Issue.newsletter_id == newsletter.id, Issue.status == IssueStatus.SENT)
    newest = session.scalar(sent.order_by(Issue.number.desc()).limit(1))
    if newest is None:
        return None
    copies = (
        exists()
        .where(Delivery.subscriber_id == subscriber_id, Delivery.letter_id == Letter.id)
        .where(Delivery.status.not_in(NOT_WRITTEN))
        .where(not_(and_(has_status(*WAITING), Letter.included_issue_id.is_not(None), Letter.written_at < since)))
        .where(or_(Letter.issue_id == newest.id, Letter.included_issue_id == newest.id))
    )
    return None if session.scalar(select(copies)) else newest


def _text(
    session: Session, newsletter: Newsletter, spoken: Language, issue: Issue | None, base_url: str
) -> WelcomeText:
    included = None
    if issue:
        edition = issues.edition(session, issue, base_url=base_url)
        shown = issue_layout.shown_issue(issue, edition, spoken, newsletter)
        included = IncludedIssue(issue.id, issue.planned_at, tuple(shown.items()))
    return WelcomeText(
        newsletter_columns.columns_of(newsletter),
        digests.schedules(session, [newsletter.id]).get(newsletter.id),
        issue_layout.shown_logo(session, newsletter, base_url),
        issue_layout.archive_query(newsletter, spoken),
        included,
    )


def _laid_out(templates: Templates, spoken: Language, base_url: str, text: WelcomeText) -> Sheet | None:
    """Return the letter; None if it cannot be laid out, or is too long for Gmail although only headlines are left."""
    try:
        return lay_out(templates, spoken, base_url, text)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the letter, the person is subscribed
        log_failure(log, "a welcome letter cannot be laid out", error, issue=text.issue.id if text.issue else None)
        return None


@lru_cache(maxsize=16)
def lay_out(templates: Templates, spoken: Language, base_url: str, text: WelcomeText) -> Sheet | None:
    """Return the letter, with as many articles in full as Gmail shows; None if it does not fit even so.

    Cached by its arguments, which determine it: laying it out takes longer than the rest of a confirmation.
    """
    newsletter, issue = newsletter_columns.newsletter_of(text.newsletter), text.issue
    archive_url = f"{base_url}/archive/{newsletter.slug}"
    for in_full in issue_layout.IN_FULL if issue else (0,):
        included = None
        if issue:
            shown = dict(issue.shown)
            url = f"{archive_url}/{shown['number']}{text.archive_query}"
            included = {**shown, "in_full": in_full, "archive_url": url}
        sheet = compose(
            templates,
            "welcome",
            language=spoken,
            newsletter=newsletter,
            base_url=base_url,
            stream="welcome",
            fields=("mailbox", "preferences", "greeting"),
            schedule=text.schedule,
            logo=text.logo,
            issue=included,
            archive_index_url=f"{archive_url}{text.archive_query}",
        )
        if issue is None:
            return sheet
        example = issue_layout.example_of(sheet, spoken, base_url, date=issue.planned_at, headlines=0)
        if example.html_bytes <= issue_layout.MAX_HTML_BYTES:
            return sheet
    return None
