"""Insert a newsletter with thousands of confirmed readers and a feed with articles."""

import hmac
import random
from datetime import UTC, datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Event, Evidence, LedgerEntry
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.consent.wordings.wordings import Wording
from newsletter.content.articles.articles import Article
from newsletter.content.digests import drafting
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues import approvals
from newsletter.newsletters import Newsletter
from newsletter.store.database import Database
from tests.builders import an_open_newsletter

READERS_PER_INSERT = 2000
NAMES = (None, "Anna", "Zoë Müller-Lüdenscheidt", "Иван", ".dot", "From here", 'Jo "the fox" O\'Neill, Jr.')


def insert_newsletter(database: Database, readers: int, *, seed: int) -> None:
    """Insert a newsletter, that many confirmed readers with their ledger entries, and a feed with articles."""
    chance, now = random.Random(seed), datetime.now(UTC)
    with database.writing() as session:
        bounces = {"return_path_domain": "bounces.press.example"}
        newsletter = an_open_newsletter(session, now=now, name="Morning Letter", **bounces)
        _insert_articles(session, newsletter, chance, now)
        wording = session.scalars(select(Wording).where(Wording.newsletter_id == newsletter.id)).one()
        for start in range(0, readers, READERS_PER_INSERT):
            numbers = range(start, min(start + READERS_PER_INSERT, readers))
            _insert_readers(session, newsletter, wording, numbers, chance, now)


def _insert_readers(
    session: Session, newsletter: Newsletter, wording: Wording, numbers: range, chance: random.Random, now: datetime
) -> None:
    people = [
        {
            "subject": chance.randbytes(16),
            "address": f"reader{number}@crowd.example",
            "address_key": f"reader{number}@crowd.example",
            "name": chance.choice(NAMES),
            "created_at": now,
        }
        for number in numbers
    ]
    ids = session.scalars(insert(Subscriber).returning(Subscriber.id, sort_by_parameter_order=True), people).all()
    subscription = {"newsletter_id": newsletter.id, "standing": Standing.SUBSCRIBED, "since": now}
    session.execute(insert(Subscription), [{**subscription, "subscriber_id": reader} for reader in ids])
    facts = [
        (_ledger_entry(person["subject"], ordinal, event, newsletter, wording, salt, body, now), salt, body)
        for person in people
        for ordinal, event in enumerate((Event.REQUESTED, Event.CONFIRMED), start=1)
        for salt, body in [(chance.randbytes(32), ledger.canonical({"address": person["address"]}))]
    ]
    entries = session.scalars(
        insert(LedgerEntry).returning(LedgerEntry.id, sort_by_parameter_order=True), [entry for entry, _, _ in facts]
    ).all()
    evidence = [
        {"entry_id": number, "salt": salt, "body": body} for number, (_, salt, body) in zip(entries, facts, strict=True)
    ]
    session.execute(insert(Evidence), evidence)


def _ledger_entry(
    subject: bytes,
    ordinal: int,
    event: Event,
    newsletter: Newsletter,
    wording: Wording,
    salt: bytes,
    body: bytes,
    now: datetime,
) -> dict[str, object]:
    columns = {
        "subject": subject,
        "ordinal": ordinal,
        "event": event,
        "newsletter_id": newsletter.id,
        "wording_id": wording.id,
        "at": now,
        "evidence_digest": hmac.digest(salt, body, "sha256"),
    }
    return {**columns, "leaf": ledger.leaf(LedgerEntry(**columns, leaf=b""))}


def _insert_articles(session: Session, newsletter: Newsletter, chance: random.Random, now: datetime) -> None:
    never = now.replace(year=now.year + 1)  # the feed does not exist
    url = "https://town.example/feed.xml"
    feed = Feed(newsletter_id=newsletter.id, url=url, title="Town", added_at=now, next_try_at=never)
    session.add(feed)
    session.flush()
    for number in range(12):
        session.add(
            Article(
                feed_id=feed.id,
                identity=f"article-{number}",
                url=f"https://town.example/article-{number}",
                title=f"What happened in street number {number}",
                summary=" ".join(chance.choice(WORDS) for _ in range(60)),
                html="",
                author="",
                categories=[],
                picture_url=None,
                picture_alt="",
                published_at=now,
                first_seen_at=now,
            )
        )
    session.flush()


WORDS = ("bridge", "opens", "bus", "waits", "river", "council", "votes", "naïve", "façade", "über", "street", "rain")


def approve(session: Session, *, now: datetime) -> int:
    """Draft an issue from the articles and approve it; return its id."""
    issue = drafting.draft(session, newsletters.named(session, "morning"), articles=12, actor="tests", now=now)
    approvals.approve(session, issue, actor="tests", now=now)
    return issue.id
