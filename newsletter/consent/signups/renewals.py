"""Ask for a new confirmation letter by an expired link: one press, without typing the address again."""

from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.addresses import Address
from newsletter.consent import evidence_terms
from newsletter.consent.evidence_terms import EvidenceField, EvidenceTerm
from newsletter.consent.ledger.ledger import Trace
from newsletter.consent.signups import signup_rows, signups
from newsletter.consent.signups.confirmation_links import ConfirmationLink
from newsletter.consent.signups.signups import Signup
from newsletter.keys import Keyring


def renew(session: Session, keyring: Keyring, link: ConfirmationLink, *, trace: Trace, now: datetime) -> None:
    """Sign the address up once more, with the words that its visitor agreed to; the worker answers by its rules.

    The link `can_be_renewed`. The evidence says that nobody filled in the form again.
    """
    former = session.get_one(Signup, link.signup.signup_id)
    entered = {name: value for name, value in former.evidence.items() if name not in Trace._fields}
    observed = {
        EvidenceField.METHOD: EvidenceTerm.BUTTON_OF_EXPIRED_LINK,
        EvidenceField.FIRST_RECEIVED_AT: former.received_at.isoformat(timespec="seconds"),
    }
    row = signup_rows.values(
        keyring,
        address=Address(former.address, former.address_key),
        newsletters=[each.id for each in link.confirmable],
        wording_id=former.wording_id,
        form=former.form,
        form_id=former.form_id,
        language=former.language,
        evidence={**evidence_terms.stored(entered), **observed},
        trace=trace,
        now=now,
    )
    signups.insert_row(session, row)
