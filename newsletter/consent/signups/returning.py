"""The way back: who has left may ask, on the page that says so, to be asked again by a confirmation letter.

The page shows the words of consent with a button, in place of a form with a field for the address: a letter's link may
be forwarded, so the page never shows the address, and the letter goes to nobody but its owner.
"""

from datetime import datetime

from markupsafe import Markup
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.consent.evidence_terms import EvidenceField, EvidenceTerm
from newsletter.consent.ledger.ledger import Trace
from newsletter.consent.signups import signup_rows, signups
from newsletter.consent.wordings import exhibits
from newsletter.consent.wordings.wordings import Wording
from newsletter.keys import Keyring
from newsletter.templating import Templates

EXHIBIT = "return form"  # the kind of the exhibits


def rendered(templates: Templates, wording: Wording) -> Markup:
    """Return what the page shows of a wording, with the button, in the wording's language. It is the exhibit."""
    template = templates(wording.language).get_template("pages/_return_words.html")
    return Markup(template.render(wording=wording))  # noqa: S704 - a template


def exhibit_of(words: Markup) -> str:
    """Return the SHA-256 by which the posted form names what it showed."""
    return exhibits.sha256(words.encode())


def ask(
    session: Session,
    keyring: Keyring,
    *,
    address: str,
    newsletter_id: int,
    wording: Wording,
    words: Markup,
    language: str,
    trace: Trace,
    now: datetime,
) -> None:
    """Store a sign-up for the address that has left, as a posted form does; a worker answers it by the same rules.

    `words` are those of `rendered`; they are kept as an exhibit. `language` is that of the person's letters and pages.
    """
    evidence = {
        EvidenceField.METHOD: EvidenceTerm.BUTTON_AFTER_LEAVING,
        EvidenceField.FORM_KIND: EvidenceTerm.RETURN_FORM,
        EvidenceField.FORM_LANGUAGE: wording.language,
    }
    row = signup_rows.values(
        keyring,
        address=addresses.parse(address),
        newsletters=[newsletter_id],
        wording_id=wording.id,
        form=exhibits.keep(session, EXHIBIT, words.encode()),
        language=language,
        evidence=evidence,
        trace=trace,
        now=now,
    )
    signups.insert_row(session, row)
