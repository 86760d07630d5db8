"""Pause an issue that too many letters of are refused, or that no relay can carry, until a person has looked at it.

The rule, counted on the rows of its deliveries: of the last 200 letters that a relay has answered

- more than 10 % were refused because the mailbox does not exist: the list is old or not ours, and every further letter
  costs the sender's good name; or
- more than 20 % were refused for good because of sender or content: the others would be refused, too.

A short list does not say enough before all of it is answered. Its held refusals are counted once more when they come
due again (`held_refusals`), however few they are. A reply that puts a letter off for now is an answer, and no reason:
it passes, and the relay's pace sees to it (`tempo`).
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from math import inf

from sqlalchemy import case, func, or_, select, text, true, update
from sqlalchemy.orm import Session

from newsletter import audit_log
from newsletter.content import issues
from newsletter.content.issues import Issue, IssueStatus
from newsletter.mail.delivery.deliveries import DELIVERIES, WAITING, Delivery, DeliveryStatus, stands
from newsletter.mail.letters.letters import Letter
from newsletter.mail.pace import attempt_window, throttle
from newsletter.mail.pace.attempt_window import WINDOW
from newsletter.mail.transport import replies
from newsletter.mail.transport.transport import Result
from newsletter.redaction import log_failure
from newsletter.store.database import Begin

GONE, REFUSED = 0.10, 0.20  # shares of the last letters that were answered
SCANNED = 1000  # rows of an issue that are looked through for those: what other workers hold stands between them
LOOK_AFTER = 0.1  # seconds between two counts of one process, unless ten refusals are recorded before that
RESUME_GRACE = timedelta(seconds=90)  # a relay in trouble is tried once a minute: what was known of it before is stale

ADVICE = {
    attempt_window.GONE: "refused for good because the mailbox does not exist or takes no mail. "
    "Where do these addresses come from? Going on harms the sender's name with every mail provider.",
    attempt_window.REFUSED: "refused for good for what is held against the sender or the letter, not the readers. "
    "Mend what the reply says: SPF, DKIM and DMARC of the domain, a blocklist, the content, or the relay's settings.",
}

log = logging.getLogger(__name__)


def pause(session: Session, number: int, *, reason: str, now: datetime) -> bool:
    """Pause an issue that is leaving, with the reason, which is also logged; returns whether it was leaving."""
    issue = session.get(Issue, number, with_for_update=True)
    if issue is None or issue.status is not IssueStatus.SENDING:
        return False
    issues.pause(session, issue, actor=audit_log.WORKER, now=now, reason=reason)
    log.warning("an issue is paused: %s", reason, extra={"issue": number})
    return True


def pause_all(session: Session, *, reason: str, now: datetime) -> list[int]:
    """Pause every issue that is leaving, but those that somebody has just resumed; returns which they are."""
    leaving = session.scalars(select(Issue.id).where(Issue.status == IssueStatus.SENDING).order_by(Issue.id)).all()
    return [
        number
        for number in leaving
        if not _was_just_resumed(session, number, now) and pause(session, number, reason=reason, now=now)
    ]


def resume(session: Session, issue: Issue, *, actor: str, now: datetime) -> None:
    """Go on with a paused issue, also with its letters that were refused for good because of us.

    A server that said 5xx is asked again only because a person has mended what it said (RFC 5321 section 4.2.1).
    """
    issues.resume(session, issue, actor=actor, now=now)
    mine = select(Letter.id).where(Letter.issue_id == issue.id)
    held = update(Delivery).where(Delivery.letter_id.in_(mine), stands(*WAITING), Delivery.reply_code >= 500)
    session.execute(held.values(due_at=now, reply_code=None, reply_text=None))


def _was_just_resumed(session: Session, number: int, now: datetime) -> bool:
    resumed = _last_resume(session, number)
    # A clock that was set back since says nothing of how long ago it was: then it was not just now.
    return resumed is not None and abs(now - resumed) < RESUME_GRACE


def _last_resume(session: Session, number: int) -> datetime | None:
    resumed = audit_log.last(session, subject=f"issue:{number}", verb="issue resumed")
    return resumed.at if resumed else None


def is_refusal(report: Result) -> bool:
    """Whether a report can be a reason to pause an issue."""
    return attempt_window.outcome_code(report.outcome, report.reply) in ADVICE


def pause_refused(
    session: Session, deliveries: Collection[int], *, now: datetime, all_is_answered: bool = False
) -> set[int]:
    """Pause the issues that too many letters of are refused, seen from these refused ones; returns which they are.

    `all_is_answered` says that no more answers are waited for: a short list is judged by what it has, and a letter by
    those that left after it, too.
    """
    ends = (
        select(Letter.issue_id, Letter.id, func.max(Delivery.subscriber_id))
        .join(Letter, Letter.id == Delivery.letter_id)
        .where(Delivery.id.in_(deliveries), Letter.issue_id.is_not(None), Delivery.subscriber_id.is_not(None))
        .group_by(Letter.issue_id, Letter.id)
    )
    found: set[int] = set()
    for issue, letter, last in session.execute(ends).all():
        assert issue
        assert last
        until = _further(session, letter, last) if all_is_answered else last
        if reason := _reason(session, issue, letter, until, now=now, all_is_answered=all_is_answered):
            pause(session, issue, reason=reason, now=now)
            found.add(issue)
    return found


def _further(session: Session, letter: int, subscriber: int) -> int:
    """The subscriber whose letter left half of what is scanned later, or the last one."""
    row = DELIVERIES.c
    later = select(row.subscriber_id).where(row.letter_id == letter, row.subscriber_id > subscriber)
    later = later.order_by(row.letter_id, row.subscriber_id).limit(SCANNED // 2)
    return session.scalar(select(func.max(later.subquery().c.subscriber_id))) or subscriber


def _reason(
    session: Session, issue: int, letter: int, until: int, *, now: datetime, all_is_answered: bool
) -> str | None:
    """Why the issue has to be paused. After a resume, what was decided before it does not count."""
    limit = SCANNED if all_is_answered else WINDOW
    reason = too_many(_answers(session, letter, until, limit=limit), all_is_answered=all_is_answered)
    resumed = _last_resume(session, issue) if reason else None
    if resumed is None or resumed > now:  # a clock that was set back since tells nothing of what came after
        return reason
    return too_many(_answers(session, letter, until, limit=limit, since=resumed), all_is_answered=all_is_answered)


def _answers(
    session: Session, letter: int, until: int, *, limit: int, since: datetime | None = None
) -> list[tuple[str, str]]:
    """The last letters that a relay has answered, until a subscriber's: for each its mark and the reply's words.

    An issue leaves in the order of its subscribers, and an index keeps that order. So the rows before one are those
    that left before it, whichever process carried them. Of a letter that waits, the last answer counts.
    """
    row = DELIVERIES.c
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL enable_sort = off"))  # however few rows it believes there are: go by the index
    newest = (
        select(row.subscriber_id, row.status, row.reply_code, row.reply_text, row.decided_at)
        .where(row.letter_id == letter, row.subscriber_id <= until)
        .order_by(row.letter_id.desc(), row.subscriber_id.desc())
        .limit(SCANNED)
        .subquery()
    ).c
    words = case((newest.reply_code >= 500, newest.reply_text))
    answered = or_(newest.status == DeliveryStatus.SENT, newest.reply_code.is_not(None))
    is_new = true() if since is None else or_(newest.decided_at.is_(None), newest.decided_at > since)
    answers = select(newest.status, newest.reply_code, words).where(answered, is_new)
    return [_answer(*each) for each in session.execute(answers.order_by(newest.subscriber_id.desc()).limit(limit))]


def _answer(status: DeliveryStatus, code: int | None, words: str | None) -> tuple[str, str]:
    if status is DeliveryStatus.SENT:
        return attempt_window.TAKEN, ""
    reply = replies.from_row(code, words)
    return attempt_window.outcome_code(replies.refusal_outcome(reply), reply), reply.line


def too_many(answers: Sequence[tuple[str, str]], *, all_is_answered: bool = False) -> str | None:
    """Why these answers have to pause an issue, in words for an operator; None where all is well."""
    seen, left = len(answers), Counter(each for each, _ in answers)
    if throttle.too_many(left[attempt_window.GONE], seen, share=GONE):
        found = attempt_window.GONE
    elif throttle.too_many(left[attempt_window.REFUSED], seen, share=REFUSED) or (
        all_is_answered and left[attempt_window.REFUSED] > REFUSED * seen
    ):
        found = attempt_window.REFUSED
    else:
        return None
    ((most, _),) = Counter(words for each, words in answers if each == found).most_common(1)
    return f"Of the last {seen} letters {left[found]} were {ADVICE[found]} Most often: {most}"


class RefusalWatch:
    """Counts the refusals of one round of sending as they are recorded, and pauses an issue that has too many.

    It counts at the first refusal, then after each tenth of a second or ten refusals, and at the end.
    """

    def __init__(
        self, begin: Begin, *, clock: Callable[[], datetime], ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._begin, self._clock, self._ticks = begin, clock, ticks
        self._refused: list[int] = []  # deliveries whose refusal was recorded since the last count
        self._looked_at = -inf
        self.stopped: dict[int, float] = {}  # issues that were found to have too many, and when by the monotonic clock

    def recorded(self, deliveries: Iterable[int]) -> None:
        """Take deliveries whose refusal has just been committed. Raises nothing."""
        self._refused.extend(deliveries)
        if len(self._refused) >= throttle.MIN_ALL_REFUSED or self._ticks() >= self._looked_at + LOOK_AFTER:
            self.look()

    def look(self) -> None:
        """Count. Where the database gives no answer the same refusals are counted again with the next."""
        if not self._refused:
            return
        try:
            with self._begin() as session:
                found = pause_refused(session, self._refused, now=self._clock())
        except Exception as error:  # noqa: BLE001 - recording goes on
            log_failure(log, "refusals cannot be counted", error)
        else:
            self._refused.clear()
            self.stopped |= dict.fromkeys(found, self._ticks())
        self._looked_at = self._ticks()

    def has_stopped(self, issue: int | None, *, claimed_at: float) -> bool:
        """Whether an issue's letters that were claimed at that moment of the monotonic clock are not to be sent."""
        return issue in self.stopped and claimed_at <= self.stopped[issue]
