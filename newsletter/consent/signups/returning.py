"""Ways back: a button by which the owner of an inbox is asked again by a confirmation letter.

One stands on the page after leaving, one on the page of an expired link. The page shows the words of consent with a
button, in place of a form with a field for the address: a letter's link may be forwarded, so the page never shows the
address, and the letter goes to nobody but its owner.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from markupsafe import Markup
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.consent import evidence_terms
from newsletter.consent.evidence_terms import EvidenceField, EvidenceTerm
from newsletter.consent.ledger.ledger import Trace
from newsletter.consent.signups import signup_rows, signups
from newsletter.consent.wordings import exhibits
from newsletter.consent.wordings.wordings import Wording
from newsletter.keys import Keyring
from newsletter.templating import Templates


class WayBack(NamedTuple):
    """Where the button stands, and what proves that somebody pressed it."""

    template: str  # of the words with the button
    exhibit: str  # the kind of the exhibits
    method: EvidenceTerm
    form: EvidenceTerm


AFTER_LEAVING = WayBack(
    "pages/_return_words.html", "return form", EvidenceTerm.BUTTON_AFTER_LEAVING, EvidenceTerm.RETURN_FORM
)
EXPIRED_LINK = WayBack(
    "pages/_renewal_words.html", "renewal form", EvidenceTerm.BUTTON_OF_EXPIRED_LINK, EvidenceTerm.RENEWAL_FORM
)


def rendered(templates: Templates, wording: Wording, way: WayBack) -> Markup:
    """Return what the page shows of a wording, with the button, in the wording's language. It is the exhibit."""
    template = templates(wording.language).get_template(way.template)
    return Markup(template.render(wording=wording))  # noqa: S704 - a template


def exhibit_of(words: Markup) -> str:
    """Return the SHA-256 by which the posted form names what it showed."""
    return exhibits.sha256(words.encode())


def shown(
    session: Session, templates: Templates, way: WayBack, *, number: int | None, exhibit: str
) -> tuple[Wording, Markup] | None:
    """Return the wording, of any version, and the words that a posted form names; None if no page showed them so."""
    wording = session.get(Wording, number) if number is not None else None
    if wording is None or not wording.information:
        return None
    words = rendered(templates, wording, way)
    return (wording, words) if exhibit_of(words) == exhibit else None


def ask(
    session: Session,
    keyring: Keyring,
    way: WayBack,
    *,
    address: str,
    newsletters: Sequence[int],
    wording: Wording,
    words: Markup,
    language: str,
    trace: Trace,
    now: datetime,
    evidence: Mapping[str, str] | None = None,
) -> None:
    """Store a sign-up for the address that got the link, as a posted form does; a worker answers it by the same rules.

    `words` are those of `rendered`; they are kept as an exhibit. `language` is that of the person's letters and pages,
    `evidence` what is stored beside the way.
    """
    observed = {
        EvidenceField.METHOD: way.method,
        EvidenceField.FORM_KIND: way.form,
        EvidenceField.FORM_LANGUAGE: wording.language,
    }
    row = signup_rows.values(
        keyring,
        address=addresses.parse(address),
        newsletters=newsletters,
        wording_id=wording.id,
        form=exhibits.keep(session, way.exhibit, words.encode()),
        language=language,
        evidence={**evidence_terms.stored(evidence or {}), **observed},
        trace=trace,
        now=now,
    )
    signups.insert_row(session, row)
