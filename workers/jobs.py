"""The jobs of each queue: what a worker does when a queue is woken.

A job is a function of the context that does what is due in the database and returns whether more is due at once. It is
short, safe to lose and safe to repeat. A new job is its function here and one line in JOBS.
"""

import logging
from collections.abc import Callable

from newsletter.consent.decisions import older_subscribers
from newsletter.content import looking, pictures, refreshing
from newsletter.content.digests import drafting
from newsletter.content.feeds import requested_looks
from newsletter.doctor.domains import domain_checks
from newsletter.errors import Misconfigured
from newsletter.mail.delivery import missed_readers, reclaiming
from newsletter.mail.mailings import address_requests, issue_letters, operator_notices
from newsletter.privacy import address_retention, expiry, folding, proofs, retention
from newsletter.queues import heartbeats
from newsletter.queues.wakeups import Queue
from newsletter.redaction import log_failure
from newsletter.store import conflicts
from newsletter.store.database_errors import UNAVAILABLE
from workers.context import Context
from workers.signup_jobs import answer_slow_lane, process_signups

SEND_SECONDS = 5.0  # that one call sends letters at most; then it wakes the queue again
URGENT_SEND_SECONDS = 2.0  # the same, of urgent letters: then sign-ups are answered again

Job = Callable[[Context], bool]

log = logging.getLogger(__name__)


def handle_wakeup(queue: Queue, context: Callable[[], Context]) -> bool:
    """Do a queue's jobs; return whether more is due.

    If the context cannot be built now, log why and return False: the next wake-up tries again.
    """
    try:
        built = context()
    except UNAVAILABLE as error:
        log_failure(log, f"the jobs of queue {queue} cannot run", error)
    except Misconfigured as error:
        log.error("the jobs of queue %s cannot run: %s", queue, error)  # noqa: TRY400 - without the traceback
    else:
        return run(queue, built)
    return False


def run(queue: Queue, context: Context) -> bool:
    """Do a queue's jobs in order; return whether more is due. A job that fails stops no other.

    Once the process has to end, no further job and no further letter begins.
    """
    more = [attempt(job, context) for job in JOBS[queue]]
    return any(more)


def attempt(job: Job, context: Context) -> bool:
    """Do a job, unless the process has to end; return whether more is due. Logs what fails, and raises nothing.

    Every job is safe to repeat, also one of whose transactions some are committed.
    """
    if context.stop.is_set():
        return False
    try:
        return conflicts.repeat(lambda: job(context), after_commits=True)
    except Exception as error:  # noqa: BLE001 - whatever fails, the other jobs go on
        log_failure(log, f"{job.__name__} failed", error)
        return False


def answer_address_changes(context: Context) -> bool:
    """Owe new addresses the letters that confirm a change, as many as their inboxes may get.

    The job of sign-ups has looked whether any waits.
    """
    if not context.turns.has_address_changes:
        return False
    database = context.database
    answered = address_requests.answer_due(
        database.reading,
        database.writing,
        context.keyring,
        templates=context.templates,
        base_url=context.base_url,
        now=context.now(),
    )
    return answered == address_requests.BATCH_SIZE


def send_confirmations(context: Context) -> bool:
    """Send the letters that a person waits for."""
    return _send(context, process_signups, answer_slow_lane, answer_address_changes, urgent=True)


def begin_issues(context: Context) -> bool:
    """Turn approved issues into letters."""
    issue_letters.send_approved(
        context.database.writing, templates=context.templates, base_url=context.base_url, now=context.now()
    )
    return False


def send_issues(context: Context) -> bool:
    """Send the letters of issues."""
    return _send(context, begin_issues, supervise_relays, urgent=False)


def supervise_relays(context: Context) -> bool:
    """Write notices about relay problems, and pause all issues if no relay can be used."""
    dispatcher = context.dispatcher
    context.supervisor.supervise(dispatcher.transport, urgent=dispatcher.urgent_transport, now=context.now())
    return False


def finish_issues(context: Context) -> bool:
    """Mark an issue sent once all its deliveries are final, and no reader was missed."""
    missed = 0
    if empty := context.dispatcher.lane(urgent=False).cursors.empty():
        with context.database.writing() as session:
            missed = missed_readers.owe(session, empty, now=context.now())
            finished = issue_letters.finish(session, now=context.now(), letter_ids=empty)
        if missed:
            log.warning("readers who moved were missed by an older release, and get the issue now", extra={"n": missed})
        for issue in finished:
            log.info("issue finished", extra={"issue": issue})
    return missed > 0


def look_at_requested_feeds(context: Context) -> bool:
    """Look at the feed addresses that operators have entered and wait for."""
    begin, slots = context.database.writing, context.feed_slots
    return looking.look_at_requested(begin, context.downloader, now=context.now(), shared=slots) > 0


def refresh_feeds(context: Context) -> bool:
    """Fetch the feeds that are due."""
    begin, slots = context.database.writing, context.feed_slots
    return refreshing.refresh_due(begin, context.downloader, now=context.now(), shared=slots) > 0


def copy_pictures(context: Context) -> bool:
    """Copy the pictures of new articles."""
    begin, slots = context.database.writing, context.picture_slots
    return pictures.copy_new(begin, context.downloader, now=context.now(), shared=slots) > 0


def check_domains(context: Context) -> bool:
    """Check the sending domain for which somebody asked first."""
    database = context.database
    return domain_checks.make_one(database.reading, database.writing, context.domain_examiner, now=context.now())


def record_heartbeat(context: Context) -> bool:
    """Record that beat, broker and a worker work together, for the health page and the doctor."""
    with context.database.writing() as session:
        heartbeats.record(session, Queue.UPKEEP, now=context.now())
    return False


def draft_digests(context: Context) -> bool:
    """Draft the issues whose time has come."""
    database = context.database
    drafting.draft_due(database.reading, database.writing, now=context.now())
    return False


def owe_notices(context: Context) -> bool:
    """Owe operators the letters about what waits for them."""
    database = context.database
    letterhead, templates = context.letterhead, context.templates
    owed = operator_notices.owe_due(
        database.reading, database.writing, letterhead=letterhead, templates=templates, now=context.now()
    )
    return owed == operator_notices.BATCH_SIZE


def reclaim_expired_leases(context: Context) -> bool:
    """Give the letters of workers whose lease has expired back to the queue."""
    database = context.database
    reclaiming.reclaim_expired(database.reading, database.writing, context.lease_monitor, now=context.now())
    return False


def forget_signups(context: Context) -> bool:
    """Delete the sign-ups whose time is over, and the personal data of those that nobody confirmed."""
    with context.database.writing() as session:
        return retention.forget_due(session, now=context.now()) == retention.BATCH_SIZE


def fold_older_subscribers(context: Context) -> bool:
    """Give the subscribers of earlier releases the fold of their inbox."""
    with context.database.writing() as session:
        return older_subscribers.fold(session, context.keyring, now=context.now()) == older_subscribers.BATCH_SIZE


def fold_letters(context: Context) -> bool:
    """Fold the letters of deleted sign-ups into a total."""
    with context.database.writing() as session:
        return folding.fold_orphans(session, now=context.now()) == folding.BATCH_SIZE


def fold_tests(context: Context) -> bool:
    """Fold old letters to operators into a total, so that their addresses go."""
    with context.database.writing() as session:
        return folding.fold_tests(session, now=context.now()) == folding.TESTS_BATCH_SIZE


def forget_address_changes(context: Context) -> bool:
    """Delete changes of address whose time is over."""
    with context.database.writing() as session:
        return address_retention.forget_due(session, now=context.now()) == address_retention.BATCH_SIZE


def erase_old_proofs(context: Context) -> bool:
    """Erase the proofs of consents whose readers left years ago."""
    with context.database.writing() as session:
        return proofs.erase_due(session, now=context.now()) == proofs.BATCH_SIZE


def delete_expired(context: Context) -> bool:
    """Delete the traces, tickets and counts whose time is over."""
    with context.database.writing() as session:
        return expiry.delete_expired(session, now=context.now())


def count_readers(context: Context) -> bool:
    """Count who joined, left and reads, for the desk."""
    database = context.database
    return context.day_counter.count(database.reading, database.writing, now=context.now())


def count_deliveries(context: Context) -> bool:
    """Count the deliveries of issues that are being sent, for the desk."""
    database = context.database
    return context.delivery_counter.count(database.reading, database.writing, now=context.now())


def delete_old_looks(context: Context) -> bool:
    """Delete the looks at feed addresses that are a day old."""
    with context.database.writing() as session:
        requested_looks.delete_old(session, now=context.now())
    return False


def watch_leases(context: Callable[[], Context]) -> None:
    """Reclaim expired leases; every worker does so on a thread of its own. Raises nothing.

    All workers share the wake-ups of a queue. With twenty workers, each is woken once in a hundred seconds, too seldom
    to notice that a heartbeat has stopped.
    """
    try:
        attempt(reclaim_expired_leases, context())
    except (*UNAVAILABLE, Misconfigured):
        pass  # the context cannot be built yet; every wake-up logs why
    except Exception as error:  # noqa: BLE001 - the next attempt may succeed
        log_failure(log, "the leases of other workers are not watched", error)


RETENTION = (
    forget_signups,
    forget_address_changes,
    fold_letters,
    fold_tests,
    erase_old_proofs,
    delete_expired,
    delete_old_looks,
)
COUNTS = (count_readers, count_deliveries)

JOBS: dict[Queue, tuple[Job, ...]] = {
    Queue.URGENT: (process_signups, answer_slow_lane, answer_address_changes, send_confirmations),
    Queue.BULK: (begin_issues, send_issues, supervise_relays, finish_issues),
    Queue.FEEDS: (look_at_requested_feeds, refresh_feeds, copy_pictures, check_domains),
    Queue.UPKEEP: (
        record_heartbeat,
        draft_digests,
        owe_notices,
        reclaim_expired_leases,
        *RETENTION,
        fold_older_subscribers,
        *COUNTS,
    ),
}


def _send(context: Context, *meanwhile: Job, urgent: bool) -> bool:
    """Send what is due; do the queue's other jobs while a relay takes minutes to reply to a letter."""
    dispatcher = context.dispatcher
    until = dispatcher.monotonic() + (URGENT_SEND_SECONDS if urgent else SEND_SECONDS)

    def work_meanwhile() -> None:
        for job in meanwhile:
            attempt(job, context)

    recorded = dispatcher.send_due(urgent=urgent, until=until, meanwhile=work_meanwhile)
    return bool(recorded) and (dispatcher.monotonic() >= until or (urgent and context.turns.is_held_back))
