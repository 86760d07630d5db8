"""Pause an issue whose letters are refused too often, or that no relay can send, until a person has looked at it.

An issue pauses if, of the last 200 replies to its letters at the same try, counted on the rows of its deliveries,

- more than 10 % say that the mailbox does not exist: the list is old or not ours, and every further letter harms the
  sender's reputation; or
- more than 20 % refuse the letter for good because of sender or content: the others would be refused, too.

Fewer than 50 replies prove too little, unless all of at least ten say the same. First replies are compared with first
ones, replies to a retry with those to other retries (`reply_windows`). When held refusals come due (`held_refusals`),
no more replies are expected: then more than 20 % refused because of sender or content suffice, however few replies
there are, and half of the 200 may come from letters after the held ones. Replies from before a resume do not count. A
temporary refusal counts as a reply, but is no reason to pause: it passes, and the relay's throttle slows down
(`throttle`).
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from math import inf

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter import audit_log
from newsletter.audit_log import AuditEntry
from newsletter.content.issues import approvals, transitions
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.mail.delivery import reply_windows
from newsletter.mail.delivery.deliveries import WAITING, Delivery, has_status
from newsletter.mail.delivery.reply_windows import SCANNED_ROWS, Window
from newsletter.mail.letters.letters import Letter
from newsletter.mail.pace import attempt_window, throttle
from newsletter.mail.pace.attempt_window import WINDOW
from newsletter.mail.transport.transport import Result
from newsletter.redaction import log_failure
from newsletter.store.database import Begin

MAX_GONE_SHARE, MAX_REFUSED_SHARE = 0.10, 0.20  # of the last letters with a reply
MIN_REFUSALS = 6  # that can pause an issue: more than 10 % of 50 replies
COUNT_INTERVAL = 0.1  # seconds between two counts of one process, unless ten refusals are recorded before
RESUME_GRACE = timedelta(seconds=90)  # a failing relay is tried once a minute: what is known from before is stale

ADVICE = {
    attempt_window.GONE: "refused for good because the mailbox does not exist or takes no mail. "
    "Where do these addresses come from? Going on harms the sender's name with every mail provider.",
    attempt_window.REFUSED: "refused for good because of the sender or the letter, not the readers. "
    "Fix what the reply names: SPF, DKIM and DMARC of the domain, a blocklist, the content, or the relay's settings.",
}

log = logging.getLogger(__name__)


def pause(session: Session, issue_id: int, *, reason: str, now: datetime) -> bool:
    """Pause an issue that is being sent, and log the reason; return False if it was not being sent."""
    issue = session.get(Issue, issue_id, with_for_update=True)
    if issue is None or issue.status is not IssueStatus.SENDING:
        return False
    transitions.pause(session, issue, actor=audit_log.WORKER, now=now, reason=reason)
    log.warning("an issue is paused: %s", reason, extra={"issue": issue_id})
    return True


def pause_all(session: Session, *, reason: str, now: datetime) -> list[int]:
    """Pause every issue that is being sent, except those that a person has just resumed; return their ids."""
    sending = session.scalars(select(Issue.id).where(Issue.status == IssueStatus.SENDING).order_by(Issue.id)).all()
    return [
        issue_id
        for issue_id in sending
        if not _was_just_resumed(session, issue_id, now) and pause(session, issue_id, reason=reason, now=now)
    ]


def resume(session: Session, issue: Issue, *, actor: str, now: datetime) -> None:
    """Resume a paused issue, with its held refusals: its letters that were refused for good because of us.

    The audit log remembers the replies that are there: they do not pause the issue again. A letter is tried again after
    a 5xx only because a person has fixed what the reply names (RFC 5321 section 4.2.1).
    """
    letters = session.scalars(select(Letter.id).where(Letter.issue_id == issue.id)).all()
    seen = reply_windows.seen(session, letters)
    transitions.resume(session, issue, actor=actor, now=now, facts={audit_log.SEEN_REPLIES: seen} if seen else None)
    if not letters:  # it could not be laid out: whoever resumes it has changed what readers get
        approvals.renew(session, issue, actor=actor, now=now)
    held = update(Delivery).where(Delivery.letter_id.in_(letters), has_status(*WAITING), Delivery.reply_code >= 500)
    session.execute(held.values(due_at=now, reply_code=None, reply_text=None))


def _was_just_resumed(session: Session, issue_id: int, now: datetime) -> bool:
    resumed = _last_resume(session, issue_id)
    # If the clock was set back since, the time that passed is unknown: the resume does not count as recent.
    return resumed is not None and abs(now - resumed.at) < RESUME_GRACE


def _last_resume(session: Session, issue_id: int) -> AuditEntry | None:
    return audit_log.last(session, subject=f"issue:{issue_id}", verb="issue resumed")


def is_refusal(result: Result) -> bool:
    """Return whether a result can be a reason to pause an issue."""
    return attempt_window.outcome_code(result.outcome, result.reply) in ADVICE


def pause_refused(
    session: Session, deliveries: Collection[int], *, now: datetime, all_answered: bool = False
) -> set[int]:
    """Pause the issues of these refused deliveries that are refused too often; return the issues' ids.

    With `all_answered` no further replies are expected: a short list is judged by the replies it has, and half of the
    200 may come from letters after the refused ones.
    """
    paused: set[int] = set()
    for issue, window in reply_windows.windows(session, deliveries):
        if reason := _reason(session, issue, window, all_answered=all_answered):
            pause(session, issue, reason=reason, now=now)
            paused.add(issue)
    return paused


def _reason(session: Session, issue: int, window: Window, *, all_answered: bool) -> str | None:
    """Return why the issue must pause, or None. Replies from before its last resume do not count."""
    replies = reply_windows.last_replies(session, window, limit=WINDOW, and_later=all_answered)
    if not all_answered and sum(each.code in ADVICE for each in replies) < MIN_REFUSALS:
        return None  # without a search of the audit log
    resumed = _last_resume(session, issue)
    if seen := resumed and resumed.fields.get(audit_log.SEEN_REPLIES):
        replies = reply_windows.last_replies(session, window, limit=SCANNED_ROWS, and_later=all_answered)
        replies = reply_windows.unseen(replies, window, seen)
    counted = [(each.code, each.text) for each in replies[:WINDOW]]
    return pause_reason(counted, all_answered=all_answered, are_retries=window.tries > 1)


def pause_reason(
    codes_and_texts: Sequence[tuple[str, str]], *, all_answered: bool = False, are_retries: bool = False
) -> str | None:
    """Return why these replies must pause an issue, as a sentence for an operator; None if they need not."""
    seen, counts = len(codes_and_texts), Counter(code for code, _ in codes_and_texts)
    if throttle.too_many(counts[attempt_window.GONE], seen, share=MAX_GONE_SHARE):
        reason = attempt_window.GONE
    elif throttle.too_many(counts[attempt_window.REFUSED], seen, share=MAX_REFUSED_SHARE) or (
        all_answered and counts[attempt_window.REFUSED] > MAX_REFUSED_SHARE * seen
    ):
        reason = attempt_window.REFUSED
    else:
        return None
    ((most_frequent, _),) = Counter(text for code, text in codes_and_texts if code == reason).most_common(1)
    letters = "retried letters" if are_retries else "letters"
    return f"Of the last {seen} {letters} {counts[reason]} were {ADVICE[reason]} Most often: {most_frequent}"


class RefusalMonitor:
    """Counts the refusals of one send run as they are recorded, and pauses an issue that has too many.

    It counts at the first refusal, then after each tenth of a second or ten refusals, and at the end.
    """

    def __init__(
        self, begin: Begin, *, clock: Callable[[], datetime], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._begin, self._clock, self._monotonic = begin, clock, monotonic
        self._refused: list[int] = []  # deliveries whose refusal was recorded since the last count
        self._counted_at = -inf
        self.paused: dict[int, float] = {}  # issues with too many refusals, and when that was found (monotonic)

    def add(self, deliveries: Iterable[int]) -> None:
        """Add deliveries whose refusal has just been committed. Raises nothing."""
        self._refused.extend(deliveries)
        if len(self._refused) >= throttle.MIN_ALL_REFUSED or self._monotonic() >= self._counted_at + COUNT_INTERVAL:
            self.count()

    def count(self) -> None:
        """Count the refusals. If the database fails, the same ones are counted again with the next."""
        if not self._refused:
            return
        try:
            with self._begin() as session:
                paused = pause_refused(session, self._refused, now=self._clock())
        except Exception as error:  # noqa: BLE001 - recording goes on
            log_failure(log, "refusals cannot be counted", error)
        else:
            self._refused.clear()
            self.paused |= dict.fromkeys(paused, self._monotonic())
        self._counted_at = self._monotonic()

    def is_paused(self, issue: int | None, *, claimed_at: float) -> bool:
        """Return whether an issue was paused after its letters were claimed, at `claimed_at` (monotonic)."""
        return issue in self.paused and claimed_at <= self.paused[issue]
