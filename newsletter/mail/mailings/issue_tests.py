"""Send an operator a test of an issue, or of a newsletter that has none yet, to see it in a real inbox.

A test of an issue is the letter that its readers would get, with a mark in the subject, and links for readers that
belong to nobody. Tests go to the operator's own address only, and at most ten in each hour of the clock.
"""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import audit_log, templating
from newsletter.content.issues.issues import Issue
from newsletter.errors import NotFound, Refused
from newsletter.languages.languages import ENGLISH, language
from newsletter.mail.delivery import deliveries
from newsletter.mail.letters import letters
from newsletter.mail.letters.letters import Letter, LetterKind, Priority
from newsletter.mail.mailings import issue_layout, probes
from newsletter.newsletters import Newsletter
from newsletter.operators.operators import Operator
from newsletter.templating import Templates

MAX_TESTS = 10  # an hour, for each operator
SUBJECT_MARK = "[Test]"
# As long as real ones, so that the test's headers and lines are as long; the site knows no such key.
UNSUBSCRIBE_PATH = probes.UNSUBSCRIBE_PATH
PREFERENCES_PATH = "preferences/k0.test-a-letter-that-belongs-to-nobody"


def owe_test(
    session: Session,
    issue: Issue,
    *,
    operator_id: int,
    templates: Templates,
    base_url: str,
    now: datetime,
    tag: str | None = None,
) -> int:
    """Owe an operator a test of this issue; return the id of the delivery.

    `tag` is a reader's language, by default the newsletter's. Raises Refused over the limit, and if the issue cannot be
    laid out or is too long, as when it is sent.
    """
    operator = _locked(session, operator_id)
    occasion = _free_occasion(session, operator, now)
    newsletter = session.get_one(Newsletter, issue.newsletter_id)
    spoken = language(tag or newsletter.language)
    sheet = issue_layout.sheet(session, issue, spoken, templates=templates, base_url=base_url)
    links = {
        "unsubscribe": f"{base_url}/{UNSUBSCRIBE_PATH}",
        "preferences": f"{base_url}/{PREFERENCES_PATH}",
    }
    letter, variant = letters.write(
        session,
        kind=LetterKind.TEST,
        occasion=occasion,
        newsletter_id=newsletter.id,
        sheet=sheet.with_values(links).with_subject_mark(SUBJECT_MARK),
        language=spoken.tag,
        priority=Priority.URGENT,
        now=now,
    )
    owed = deliveries.owe(session, letter, variant, recipient=operator.address, now=now)
    audit_log.record(
        session,
        actor=f"operator:{operator.id}",
        verb="issue test written",
        subject=f"issue:{issue.id}",
        newsletter_id=newsletter.id,
        now=now,
    )
    return owed.id


def owe_sample(
    session: Session, newsletter: Newsletter, *, operator_id: int, templates: Templates, base_url: str, now: datetime
) -> int:
    """Owe an operator a probe of a newsletter, which needs no issue; return the id of the delivery.

    Raises Refused over the limit.
    """
    operator = _locked(session, operator_id)
    return probes.write(
        session,
        newsletter,
        operator.address,
        occasion=_free_occasion(session, operator, now),
        templates=templates,
        base_url=base_url,
        actor=f"operator:{operator.id}",
        now=now,
    )


def _locked(session: Session, operator_id: int) -> Operator:
    """Return the operator, locked: two tests at the same time are counted one after the other."""
    operator = session.get(Operator, operator_id, with_for_update=True)
    if operator is None:
        raise NotFound("There is no such operator any more.")
    return operator


def _free_occasion(session: Session, operator: Operator, now: datetime) -> str:
    """Return the occasion of the next test in this hour of the clock. Raises Refused if there is none."""
    hour = int(now.timestamp()) // 3600
    occasions = [f"test:{operator.id}:{hour}:{number}" for number in range(MAX_TESTS)]
    taken = set(session.scalars(select(Letter.occasion).where(Letter.occasion.in_(occasions))))
    free = next((occasion for occasion in occasions if occasion not in taken), None)
    if free is None:
        begins = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        again = ENGLISH.when(templating.local(begins, operator.zone or "UTC"))
        raise Refused(f"You have sent yourself {MAX_TESTS} test letters in this hour. The next can be sent on {again}.")
    return free
