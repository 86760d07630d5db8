"""Mail a reader a fresh link to the page of all their newsletters.

Letters get forwarded, so the links in them show no other newsletter. Whoever holds such a link may ask for a fresh one;
it goes to the reader's own address, and counts towards the three letters a day of the inbox.
"""

from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from newsletter.consent.limits import inboxes, tickets
from newsletter.consent.subscribers import subscribers
from newsletter.consent.subscribers.subscribers import Standing, Subscription
from newsletter.keys import Keyring
from newsletter.languages.languages import Language, language
from newsletter.mail.delivery import deliveries
from newsletter.mail.letters import letters, newsletter_columns
from newsletter.mail.letters.composing import compose
from newsletter.mail.letters.letters import Letter, LetterKind, Priority
from newsletter.mail.letters.merge import Sheet
from newsletter.mail.letters.newsletter_columns import NewsletterColumns
from newsletter.newsletters import Newsletter
from newsletter.templating import Templates

REPEAT = timedelta(minutes=10)  # each of the clock's; pressing the button twice in one owes no second letter


def owe(
    session: Session,
    subscriber_id: int,
    *,
    asked_from: int | None,
    templates: Templates,
    keyring: Keyring,
    base_url: str,
    now: datetime,
    about_data: bool = False,
) -> bool:
    """Owe the reader a letter with a fresh link; return whether it is owed.

    It comes from the newsletter `asked_from`, whose letter held the link, or from another one if the reader has left
    that. None is owed to an unknown or suppressed address, to a person who reads no newsletter here, after another one
    in the same ten minutes of the clock, and over the limit of the inbox. `about_data`: they ask what is stored about
    them, so it is also owed to those who left (GDPR Art. 15).
    """
    subscriber = subscribers.lock_by_id(session, subscriber_id)
    if subscriber is None or subscriber.address_key is None or subscriber.suppressed:
        return False
    sender = sender_of(session, subscriber.id, asked_from, leavers_too=about_data)
    occasion = f"link:{subscriber.id}:{int(now.timestamp() // REPEAT.total_seconds())}"
    if sender is None or session.scalar(select(exists().where(Letter.occasion == occasion))):
        return False
    if not take_ticket(session, keyring, subscriber.address_key, occasion, now=now):
        return False
    newsletter, spoken = sender
    letter, variant = letters.write(
        session,
        # ISSUE without an issue: see LetterKind.LINK, which also goes to those who get no newsletter.
        kind=LetterKind.LINK if about_data else LetterKind.ISSUE,
        occasion=occasion,
        newsletter_id=newsletter.id,
        sheet=lay_out(templates, spoken, base_url, newsletter_columns.columns_of(newsletter)),
        language=spoken.tag,
        priority=Priority.URGENT,
        now=now,
    )
    deliveries.owe(session, letter, variant, subscriber_id=subscriber.id, now=now)
    return True


def sender_of(
    session: Session, subscriber_id: int, asked_from: int | None, *, leavers_too: bool = False
) -> tuple[Newsletter, Language] | None:
    """Return the newsletter that a letter to a reader comes from, and the language in which the reader gets it.

    It is one that the reader gets, best the one that was asked; with `leavers_too`, else one that they asked for once.
    """
    read = (
        select(Newsletter, Subscription.language)
        .join(Subscription, Subscription.newsletter_id == Newsletter.id)
        .where(Subscription.subscriber_id == subscriber_id)
    )
    if not leavers_too:
        read = read.where(Subscription.standing == Standing.SUBSCRIBED)
    # One that is not paused comes first: the release before sends no letter of a paused one.
    is_read = (Subscription.standing == Standing.SUBSCRIBED).desc()
    preferred = is_read, (Newsletter.id == asked_from).desc(), Subscription.paused_until.is_not(None), Newsletter.id
    found = session.execute(read.order_by(*preferred).limit(1)).first()
    return (found[0], language(found[1] or found[0].language)) if found else None


def take_ticket(session: Session, keyring: Keyring, address_key: str, occasion: str, *, now: datetime) -> bool:
    """Take one of the inbox's tickets; return whether one was free.

    A sign-up of another spelling may take the chosen one at the same time. The next choice then has a larger number, so
    tickets are locked in their order, as everywhere.
    """
    inbox = inboxes.inbox(address_key)
    folds = inboxes.folds(keyring, address_key)  # under the newest key first
    while True:
        taken = set[int]().union(*tickets.taken(session, folds, now=now).values())
        number = tickets.choose(taken, inbox.is_tagged)
        if number is None:
            return False
        if tickets.take(session, [(folds[0], number, occasion)], now=now):
            return True


@lru_cache(maxsize=16)
def lay_out(templates: Templates, spoken: Language, base_url: str, newsletter: NewsletterColumns) -> Sheet:
    """Return the letter. Cached by its arguments, which determine it."""
    return compose(
        templates,
        "preferences_link",
        language=spoken,
        newsletter=newsletter_columns.newsletter_of(newsletter),
        base_url=base_url,
        stream="link",
        fields=("fresh_preferences", "fresh_until"),
    )
