"""Write the letters about a change of address: a link to the new one, and a notice to the former one.

The new inbox may be a stranger's. So its letter names no newsletter that the reader gets, and offers no unsubscribing:
that is not theirs to do. The notice has the reader's ordinary unsubscribe link, by which the owner of the former inbox
stops letters that somebody else has led away.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import addresses, templating
from newsletter.consent.subscribers import suppressions
from newsletter.consent.subscribers.address_changes import AddressChange
from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.consent.wordings import exhibits
from newsletter.keys import Keyring
from newsletter.languages.languages import Language
from newsletter.links import Purpose
from newsletter.mail.delivery import deliveries
from newsletter.mail.letters import letters
from newsletter.mail.letters.composing import compose
from newsletter.mail.letters.letters import Letter, LetterKind, Priority, Variant
from newsletter.mail.letters.merge import Sheet
from newsletter.mail.letters.totals import EXHIBIT
from newsletter.mail.mailings.preference_links import take_ticket
from newsletter.newsletters import Newsletter
from newsletter.templating import Templates

OCCASION, NOTICE_OCCASION = "address-change", "address-notice"


def owe_link(
    session: Session,
    change: AddressChange,
    newsletter: Newsletter,
    spoken: Language,
    *,
    templates: Templates,
    base_url: str,
    now: datetime,
) -> None:
    """Owe the new address the letter with the link. The caller has taken a ticket of the inbox (`take_ticket_for`)."""
    sheet = compose(
        templates,
        "address_change",
        language=spoken,
        newsletter=newsletter,
        base_url=base_url,
        stream="address",
        fields=(Purpose.CHANGE_ADDRESS.value, "expires_at"),
        has_unsubscribe=False,
    )
    exhibits.keep(session, EXHIBIT, sheet.source)  # evidence will name it by its hash
    occasion = _occasion(change)
    _owe(session, change, newsletter, spoken, sheet, occasion=occasion, recipient=change.address, now=now)


def take_ticket_for(session: Session, keyring: Keyring, change: AddressChange, *, now: datetime) -> bool:
    """Take a ticket of the new inbox for the letter with the link; return whether that inbox may get one.

    None goes to an inbox that must never be written to, and over its limit of three letters a day.
    """
    if suppressions.never(session, keyring, [change.address_key]):
        return False
    return take_ticket(session, keyring, change.address_key, _occasion(change), now=now)


def _occasion(change: AddressChange) -> str:
    return f"{OCCASION}:{change.id}"


def owe_notice(
    session: Session,
    change: AddressChange,
    subscriber: Subscriber,
    newsletter: Newsletter,
    spoken: Language,
    *,
    former: str,
    templates: Templates,
    base_url: str,
    now: datetime,
) -> None:
    """Owe the former address the notice that letters now go elsewhere.

    It takes no ticket: only a confirmed change causes it.
    """
    sheet = compose(
        templates,
        "address_notice",
        language=spoken,
        newsletter=newsletter,
        base_url=base_url,
        stream="address",
        fields=(),
        masked=addresses.mask(change.address),
        changed_at=templating.local(now, subscriber.zone or newsletter.zone),
        signup_url=f"{base_url}/n/{newsletter.slug}",
    )
    occasion = f"{NOTICE_OCCASION}:{change.id}"
    _owe(session, change, newsletter, spoken, sheet, occasion=occasion, recipient=former, now=now)


def text_of(session: Session, change_id: int) -> str | None:
    """Return the hash of the text of the letter to the new address; None if the letter is gone."""
    letter = select(Letter.id).where(Letter.occasion == f"{OCCASION}:{change_id}").scalar_subquery()
    return session.scalar(select(Variant.sha256).where(Variant.letter_id == letter))


def _owe(
    session: Session,
    change: AddressChange,
    newsletter: Newsletter,
    spoken: Language,
    sheet: Sheet,
    *,
    occasion: str,
    recipient: str,
    now: datetime,
) -> None:
    letter, variant = letters.write(
        session,
        kind=LetterKind.ADDRESS,
        occasion=occasion,
        newsletter_id=newsletter.id,
        address_change_id=change.id,
        sheet=sheet,
        language=spoken.tag,
        priority=Priority.URGENT,
        now=now,
    )
    deliveries.owe(session, letter, variant, subscriber_id=change.subscriber_id, recipient=recipient, now=now)
