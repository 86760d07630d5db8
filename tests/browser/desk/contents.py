"""What a service holds in each state of the desk: usual, empty, and far too long."""

from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.content.digests import digests, drafting
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.mail.delivery.deliveries import DeliveryStatus
from newsletter.newsletters import Newsletter
from newsletter.operators import operator_links, operators, sessions
from newsletter.operators.operator_links import LinkPurpose
from newsletter.operators.roles import Role
from newsletter.operators.sessions import SessionStage
from tests import builders
from tests.browser.contents import CONSENT, NEWSLETTERS, schedule_issue
from tests.content.builders import a_feed, an_entry, store
from tests.whole_service import WholeService

WORD = "Grundstücksverkehrsgenehmigungszuständigkeitsübertragungsverordnung"
FAR_TOO_LONG = f"{WORD} and every other thing that a publisher may think of on a long winter evening, {WORD}"
LONG_NEWSLETTER: dict[str, Any] = {
    "slug": "a-slug-of-as-many-characters-as-it-has"[:40],
    "name": FAR_TOO_LONG,
    "description": f"{FAR_TOO_LONG}. " * 3,
    "publisher": f"The {WORD} Press",
    "sender": f"{'letters' * 8}@{'a-long-label.' * 8}example.org",
    "postal_address": f"1 {WORD} Street, 00000 Town",
}
DEVICE = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
HEADLINES = (
    "A bridge opens",
    "The bus waits",
    "Clocks that run backwards",
    "Letters by the river",
    "Rain on the stage",
)


class DeskState(StrEnum):
    """A state in which every page of the desk is looked at."""

    USUAL = "usual"
    EMPTY = "empty"
    LONG = "long"


def fill(service: WholeService, state: DeskState) -> tuple[str, str]:
    """Fill an empty service; return the tokens of an operator's session, and of one that lacks a second factor."""
    if state is DeskState.USUAL:
        _fill_usual(service)
    elif state is DeskState.LONG:
        _fill_long(service)
    return _operators(service, f"{WORD if state is DeskState.LONG else 'ana'}@press.example".lower()[-64:])


def _operators(service: WholeService, address: str) -> tuple[str, str]:
    """Add one who may do everything and one who is invited; return tokens of two sessions of the first."""
    now = service.clock()
    with service.site.database.writing() as session:
        ana = operators.add(session, address, role=Role.ADMIN, actor="tests", now=now)
        ana.totp_confirmed_at = now
        invited = operators.add(session, "cem@press.example", role=Role.VIEWER, actor="tests", now=now)
        operator_links.make(session, invited, LinkPurpose.INVITATION, actor="tests", now=now)
        whole, half = (
            sessions.begin(session, ana.id, device=DEVICE, stage=stage, now=now)
            for stage in (SessionStage.FULL, SessionStage.PASSWORD)
        )
    return whole, half


def _fill_usual(service: WholeService) -> None:
    service.newsletter(**NEWSLETTERS["en"])
    service.publish_words("paper", CONSENT["en"], "en")
    service.newsletter("evening", zone="America/New_York")
    service.reader("paper@example.org", "paper")
    with service.site.database.writing() as session:
        schedule_issue(session, newsletters.named(session, "paper"))
    service.clock.advance(days=1)
    service.run()  # an issue is sent
    with service.site.database.writing() as session:
        paper, evening = newsletters.named(session, "paper"), newsletters.named(session, "evening")
        _feeds(session, service, paper)
        _draft(session, service, paper, "Weekly", HEADLINES)
        for status in IssueStatus:
            _issue(session, service, evening, status)
        operators.add(session, "ben@press.example", role=Role.EDITOR, actor="tests", now=service.clock())


def _fill_long(service: WholeService) -> None:
    service.newsletter(**LONG_NEWSLETTER)
    service.publish_words(LONG_NEWSLETTER["slug"], f"{FAR_TOO_LONG}. " * 4, "en")
    with service.site.database.writing() as session:
        newsletter = newsletters.named(session, LONG_NEWSLETTER["slug"])
        session.execute(update(Newsletter).values(zone="America/Argentina/ComodRivadavia"))
        feed = a_feed(session, newsletter, f"{'a-long-path/' * 20}feed")
        feed.title, feed.failures, feed.error = FAR_TOO_LONG, 40, f"The site answered: {FAR_TOO_LONG}{'.' * 200}"
        feed.checked_at = service.clock() - timedelta(days=2)
        _draft(session, service, newsletter, WORD[:80], tuple(f"{title} {FAR_TOO_LONG}" for title in HEADLINES * 8))
        for status in IssueStatus:
            _issue(session, service, newsletter, status, titles=(FAR_TOO_LONG, WORD))


def _feeds(session: Session, service: WholeService, newsletter: Newsletter) -> None:
    """Add a feed that fails, and one that is paused."""
    now = service.clock()
    failing, paused = a_feed(session, newsletter, "failing"), a_feed(session, newsletter, "paused")
    failing.failures, failing.error = 30, "The site answered 503 Service Unavailable."
    failing.checked_at, failing.read_at = now - timedelta(minutes=10), now - timedelta(days=2)
    paused.paused_at = now
    session.flush()


def _draft(
    session: Session, service: WholeService, newsletter: Newsletter, name: str, headlines: tuple[str, ...]
) -> Issue:
    """Store articles, and let a digest draft an issue of them that waits for approval."""
    now = service.clock()
    feed = a_feed(session, newsletter, "articles")
    entries = [an_entry(f"{newsletter.slug}-{n}", title=title, summary=title) for n, title in enumerate(headlines)]
    store(session, feed, *entries, now=now)
    digest = digests.add(session, newsletter, name=name, cron="0 7 * * 1-5", actor="tests", now=now)
    return drafting.draft_now(session, digest.id, actor="tests", now=now)


def _issue(
    session: Session,
    service: WholeService,
    newsletter: Newsletter,
    status: IssueStatus,
    titles: tuple[str, ...] = HEADLINES,
) -> None:
    """Add an issue of a status; one whose sending has begun has deliveries in every status."""
    now = service.clock()
    waits = status in (IssueStatus.DRAFTED, IssueStatus.APPROVED)
    issue = builders.an_issue(
        session, newsletter, status=status, run_at=now + timedelta(hours=6 if waits else -1), titles=titles
    )
    if status not in (IssueStatus.SENDING, IssueStatus.PAUSED, IssueStatus.SENT):
        return
    states = [each for each in DeliveryStatus if status is not IssueStatus.SENT or each is not DeliveryStatus.QUEUED]
    letter = builders.a_letter(session, newsletter, issue=issue, audience=len(states))
    for reader, each in zip(builders.readers(session, newsletter, len(states)), states, strict=True):
        is_open = each in (DeliveryStatus.QUEUED, DeliveryStatus.CLAIMED, DeliveryStatus.IN_DOUBT)
        session.add(builders.unsaved(letter, reader, status=each, decided_at=None if is_open else now))
    session.flush()
