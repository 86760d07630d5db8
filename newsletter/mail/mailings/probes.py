"""Write probes: one real letter of a newsletter to an operator's own inbox, to see how letters arrive.

A probe is queued, claimed, sent and recorded like every letter. It has no subscriber, so its unsubscribe link leads to
no subscription.
"""

import secrets
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter import addresses, newsletters
from newsletter.languages import languages
from newsletter.mail.delivery import deliveries
from newsletter.mail.letters import letters
from newsletter.mail.letters.composing import compose
from newsletter.mail.letters.letters import LetterKind, Priority
from newsletter.newsletters import Newsletter
from newsletter.templating import Templates

UNSUBSCRIBE_PATH = "u/k0.probe-a-letter-that-belongs-to-nobody"  # as long as a real one: the header folds alike


def write(
    session: Session,
    newsletter: Newsletter,
    recipient: str,
    *,
    templates: Templates,
    base_url: str,
    actor: str,
    now: datetime,
    occasion: str | None = None,
) -> int:
    """Write a probe to this address; return the id of its delivery. Raises Malformed if it is not an address.

    The occasion must be new. The delivery, which holds the address, is folded after a week. The audit log entry does
    not name the address.
    """
    to = addresses.parse(recipient, field="probe")
    language = languages.language(newsletter.language)
    letter, variant = letters.write(
        session,
        kind=LetterKind.TEST,
        occasion=occasion or f"probe:{secrets.token_hex(8)}",
        newsletter_id=newsletter.id,
        sheet=compose(
            templates,
            "probe",
            language=language,
            newsletter=newsletter,
            base_url=base_url,
            stream="probe",
            fields=(),
            constants={"unsubscribe": f"{base_url}/{UNSUBSCRIBE_PATH}"},
        ),
        language=language.tag,
        priority=Priority.URGENT,
        now=now,
    )
    owed = deliveries.owe(session, letter, variant, recipient=to.written, now=now)
    newsletters.log_change(session, newsletter, "probe written", actor=actor, now=now)
    return owed.id
