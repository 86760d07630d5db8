"""Rows for tests: newsletters, readers, issues, letters and deliveries."""

import secrets
from datetime import datetime
from itertools import count, islice
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from newsletter import addresses, newsletters, templating
from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Event
from newsletter.consent.link_lifetime import LINK_LIFETIME
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.subscribers import subscribers
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.consent.wordings import forms, proposed_words, wording_publication, wordings
from newsletter.consent.wordings.forms import FormKind
from newsletter.consent.wordings.wordings import Shown, Wording
from newsletter.content.articles.articles import Article
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues import issues
from newsletter.content.issues.issues import FROZEN_STATUSES, Issue, IssueArticle, IssueStatus
from newsletter.keys import Keyring
from newsletter.mail.delivery.deliveries import Delivery
from newsletter.mail.delivery.leases import Worker
from newsletter.mail.letters import letters, merge, mime
from newsletter.mail.letters.letters import Letter, LetterKind, Priority, Variant
from newsletter.mail.letters.merge import Sheet, marker
from newsletter.newsletters import Newsletter
from tests.clock import NOON

KEYRING = Keyring([("k1", "s" * 40)])
NUMBERS = count(1)


def a_bare_newsletter(session: Session, slug: str = "morning", *, now: datetime = NOON, **columns: Any) -> Newsletter:
    """Add a newsletter without a wording."""
    values = {
        "name": f"The {slug.capitalize()} Letter",
        "publisher": "Example Press",
        "sender": "letters@press.example",
        "postal_address": "1 Street, 00000 Town",
        **columns,
    }
    return newsletters.add(session, slug=slug, actor="tests", now=now, **values)


def an_open_newsletter(session: Session, slug: str = "morning", *, now: datetime = NOON, **columns: Any) -> Newsletter:
    """Add a newsletter with its proposed wording published, as an operator does."""
    newsletter = a_bare_newsletter(session, slug, now=now, **columns)
    wording_publication.publish_proposed(session, templating.environment, newsletter, actor="tests", now=now)
    return newsletter


def a_newsletter(session: Session, slug: str = "morning", **columns: Any) -> Newsletter:
    """Add a newsletter with a published wording, and with forms that cost no rendering."""
    newsletter = a_bare_newsletter(session, slug, **columns)
    shown = Shown("en", str(proposed_words.consent_to([newsletter])), proposed_words.information([newsletter], "en"))
    wording = wordings.publish(
        session, newsletter, shown, form=b"form", confirm=b"confirm page", actor="tests", now=NOON
    )
    forms.keep(session, wording, FormKind.HOSTED, [newsletter.id], wording.form_exhibit, now=NOON)
    return newsletter


def a_subscriber(session: Session, address: str, *, now: datetime = NOON) -> Subscriber:
    """Return the subscriber of this address, added if it is new, and lock the row until the transaction ends."""
    parsed = addresses.parse(address)
    row = {"address": parsed.written, "address_key": parsed.key, "subject": secrets.token_bytes(16), "created_at": now}
    subscribers.create_all(session, [{**row, "fold_key": None, "suppressed": None}])
    subscriber = subscribers.lock_by_key(session, parsed.key)
    assert subscriber
    return subscriber


def a_reader(
    session: Session,
    newsletter: Newsletter,
    address: str | None = None,
    *,
    standing: Standing = Standing.SUBSCRIBED,
    **columns: Any,
) -> Subscriber:
    """Add a subscriber with this standing, and the ledger entries that lead to it."""
    address = address or f"reader{next(NUMBERS)}@example.org"
    reader = a_subscriber(session, address)
    for field, value in columns.items():
        setattr(reader, field, value)
    wording = wordings.current(session, newsletter.id, "en")
    ledger.append_all(session, _history(newsletter, wording, reader.subject, address, standing))
    subscribers.set_standing(session, reader.id, newsletter.id, standing, now=NOON)
    return reader


def readers(session: Session, newsletter: Newsletter, number: int) -> list[int]:
    """Add readers with the ledger entries that lead to it, in a few statements; return their ids, ascending."""
    wording = wordings.current(session, newsletter.id, "en")
    subjects = {f"reader{n}@example.org": secrets.token_bytes(16) for n in islice(NUMBERS, number)}
    rows = [
        {"address": address, "address_key": address, "subject": subject, "created_at": NOON}
        for address, subject in subjects.items()
    ]
    ids = sorted(
        subscribers.create_all(session, [{**row, "fold_key": None, "suppressed": None} for row in rows]).values()
    )
    entries = [
        entry
        for address, subject in subjects.items()
        for entry in _history(newsletter, wording, subject, address, Standing.SUBSCRIBED)
    ]
    ledger.append_all(session, entries, last=dict.fromkeys(subjects.values(), 0))
    values = {"newsletter_id": newsletter.id, "standing": Standing.SUBSCRIBED, "cadence": "every", "since": NOON}
    if ids:
        session.execute(insert(Subscription), [{**values, "subscriber_id": reader} for reader in ids])
    return ids


HISTORIES = {
    Standing.ASKED: [Event.REQUESTED],
    Standing.SUBSCRIBED: [Event.REQUESTED, Event.CONFIRMED],
    Standing.LEFT: [Event.REQUESTED, Event.CONFIRMED, Event.WITHDRAWN],
}


def _history(
    newsletter: Newsletter, wording: Wording | None, subject: bytes, address: str, standing: Standing
) -> list[ledger.Entry]:
    """Return the entries that lead to a standing."""
    return [
        ledger.Entry(
            subject,
            event,
            newsletter.id,
            wording.id if wording and event is not Event.WITHDRAWN else None,
            NOON,
            {"address": address},
            None,
            secrets.token_bytes(32),
        )
        for event in HISTORIES[standing]
    ]


def a_crowd(session: Session, newsletter: Newsletter, readers: int) -> list[int]:
    """Add many subscribers at once, without ledger entries; return their ids."""
    rows = [
        {
            "address": f"{n}@crowd.example",
            "address_key": f"{n}@crowd.example",
            "subject": n.to_bytes(16),
            "created_at": NOON,
        }
        for n in islice(NUMBERS, readers)
    ]
    ids = list(session.scalars(insert(Subscriber).returning(Subscriber.id), rows))
    values = {"newsletter_id": newsletter.id, "standing": Standing.SUBSCRIBED, "cadence": "every", "since": NOON}
    session.execute(insert(Subscription), [{**values, "subscriber_id": reader} for reader in ids])
    return ids


def a_signup(
    session: Session,
    newsletter: Newsletter,
    address: str | None = None,
    *,
    state: SignupState = SignupState.RECEIVED,
    **columns: Any,
) -> Signup:
    """Add a sign-up."""
    parsed = addresses.parse(address or f"visitor{next(NUMBERS)}@example.org")
    wording = session.scalars(select(Wording).where(Wording.newsletter_id == newsletter.id)).one()
    values = {
        "newsletters": [newsletter.id],
        "evidence": {"ip": "192.0.2.1", "user_agent": "Test/1.0"},
        "received_at": NOON,
        **columns,
    }
    values.setdefault("forget_at", values["received_at"] + LINK_LIFETIME)
    signup = Signup(
        address=parsed.written,
        address_key=parsed.key,
        fold_key=addresses.fold(KEYRING, parsed.key),
        wording_id=wording.id,
        form=wording.form_exhibit,
        state=state,
        nonce=next(NUMBERS),
        **values,
    )
    session.add(signup)
    session.flush()
    return signup


def an_issue(
    session: Session,
    newsletter: Newsletter,
    *,
    status: IssueStatus = IssueStatus.SENDING,
    run_at: datetime = NOON,
    titles: tuple[str, ...] = ("A bridge opens", "The bus waits"),
) -> Issue:
    """Add an issue with articles from its own feed."""
    number = next(NUMBERS)
    feed = Feed(
        newsletter_id=newsletter.id,
        url=f"https://town.example/{number}.xml",
        title="Town",
        added_at=NOON,
        next_try_at=NOON,
    )
    issue = Issue(
        newsletter_id=newsletter.id,
        number=None if status is IssueStatus.DRAFTED else number,
        title=titles[0],
        status=status,
        run_at=run_at,
        window_to=run_at,
        drafted_at=NOON,
    )
    session.add_all([feed, issue])
    session.flush()
    articles = [_article(feed, title) for title in titles]
    session.add_all(articles)
    session.flush()
    session.add_all(
        IssueArticle(issue_id=issue.id, article_id=article.id, digest_id=None, position=position)
        for position, article in enumerate(articles)
    )
    session.flush()
    if status in FROZEN_STATUSES:
        issue.approved_sha = issues.content_hash(session, issue)
        session.flush()
    return issue


def _article(feed: Feed, title: str) -> Article:
    slug = title.lower().replace(" ", "-")
    return Article(
        feed_id=feed.id,
        identity=slug,
        url=f"https://town.example/{slug}",
        title=title,
        summary=f"All about it: {title}.",
        html="",
        author="",
        categories=[],
        picture_url=None,
        picture_alt="",
        published_at=NOON,
        first_seen_at=NOON,
    )


def a_sheet(fields: tuple[str, ...] = (), **headers: str) -> Sheet:
    """Lay out a small letter with the fields that every letter has, and these `fields`."""
    fields = {"to", "date", "message_id", "unsubscribe", "greeting", *fields}
    all_headers = {
        "From": "letters@press.example",
        "To": marker("to"),
        "Subject": "News",
        "Date": marker("date"),
        "Message-ID": marker("message_id"),
        "List-Unsubscribe": f"<{marker('unsubscribe')}>",
        **headers,
    }
    text = f"{marker('greeting')}\n\nNews.\n"
    return merge.lay_out(mime.letter(all_headers, text=text, html=f"<p>{text}</p>"), fields)


def a_letter(
    session: Session,
    newsletter: Newsletter,
    *,
    issue: Issue | None = None,
    signup: Signup | None = None,
    audience: int = 1,
) -> tuple[Letter, Variant]:
    """Add a letter about an issue or a sign-up; without either, a test letter."""
    kind = LetterKind.ISSUE if issue else LetterKind.CONFIRMATION if signup else LetterKind.TEST
    return letters.write(
        session,
        kind=kind,
        occasion=f"{kind}:{next(NUMBERS)}",
        newsletter_id=newsletter.id,
        issue_id=issue.id if issue else None,
        signup_id=signup.id if signup else None,
        sheet=a_sheet(),
        language="en",
        priority=Priority.BULK if kind is LetterKind.ISSUE else Priority.URGENT,
        audience=audience,
        now=NOON,
    )


def a_delivery(session: Session, written: tuple[Letter, Variant], reader: Subscriber | None, **values: Any) -> Delivery:
    """Add a delivery of a letter to a reader."""
    delivery = unsaved(written, reader.id if reader else None, **values)
    session.add(delivery)
    session.flush()
    return delivery


def unsaved(written: tuple[Letter, Variant], reader: int | None, *, due_at: datetime = NOON, **values: Any) -> Delivery:
    """Return a delivery that is not in the database yet."""
    letter, variant = written
    return Delivery(
        letter_id=letter.id,
        variant_id=variant.id,
        subscriber_id=reader,
        priority=letter.priority,
        due_at=due_at,
        queued_at=NOON,
        **values,
    )


def owed(session: Session, number: int, **values: Any) -> list[Delivery]:
    """Add an issue that is being sent to readers of a new newsletter; return its deliveries."""
    newsletter = a_newsletter(session, f"letter{next(NUMBERS)}")
    written = a_letter(session, newsletter, issue=an_issue(session, newsletter), audience=number)
    deliveries = [unsaved(written, reader, **values) for reader in readers(session, newsletter, number)]
    session.add_all(deliveries)
    session.flush()
    return deliveries


def a_worker(session: Session) -> int:
    """Add a worker that can hold leases; return its id."""
    worker = Worker(host="host", pid=next(NUMBERS), since=NOON)
    session.add(worker)
    session.flush()
    return worker.id
