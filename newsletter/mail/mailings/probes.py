"""Probes: one real letter of a newsletter to an operator's own inbox, to see how letters arrive.

It is queued, claimed, carried and recorded as every letter is. No reader is behind it, so its address to unsubscribe is
nobody's.
"""

import secrets
from datetime import datetime

from jinja2 import Environment
from sqlalchemy.orm import Session

from newsletter import addresses, audit_log
from newsletter.mail.delivery import deliveries
from newsletter.mail.letters import letters
from newsletter.mail.letters.composing import compose
from newsletter.mail.letters.letters import LetterKind, Priority
from newsletter.newsletters import Newsletter

NOBODY = "u/k0.probe-a-letter-that-belongs-to-nobody"  # as long as a reader's, so that the header folds as theirs does


def write(
    session: Session,
    newsletter: Newsletter,
    recipient: str,
    *,
    templates: Environment,
    base_url: str,
    actor: str,
    now: datetime,
) -> int:
    """Owe a probe to this address; returns the delivery's id. Raises Malformed where it is no address.

    The delivery keeps the address until it is purged; the act names nobody.
    """
    to = addresses.parse(recipient, field="probe")
    letter, variant = letters.write(
        session,
        kind=LetterKind.TEST,
        occasion=f"probe:{secrets.token_hex(8)}",
        newsletter_id=newsletter.id,
        sheet=compose(
            templates,
            "probe",
            newsletter=newsletter,
            base_url=base_url,
            stream="probe",
            fields=(),
            constants={"unsubscribe": f"{base_url}/{NOBODY}"},
        ),
        language=newsletter.language,
        priority=Priority.URGENT,
        now=now,
    )
    owed = deliveries.owe(session, letter, variant, recipient=to.written, now=now)
    audit_log.record(session, actor=actor, verb="probe written", subject=f"newsletter:{newsletter.slug}", now=now)
    return owed.id
