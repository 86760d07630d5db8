"""The row of a sign-up whose form is valid: what was entered, and which form of ours showed the words of consent."""

from typing import Any

from newsletter.consent.evidence_terms import EvidenceField, EvidenceTerm, Stored
from newsletter.consent.ledger.ledger import Trace
from newsletter.consent.signups import signup_rows
from newsletter.consent.wordings.forms import FormKind
from newsletter.web.public.forms.signup_form import SignupForm
from newsletter.web.public.offered_newsletters import OfferedNewsletters
from newsletter.web.site import Site

SHOWN_BY = {
    FormKind.HOSTED: EvidenceTerm.HOSTED_FORM,
    FormKind.BOX: EvidenceTerm.FORM_IN_BOX,
    FormKind.PASTED: EvidenceTerm.PASTED_FORM,
}


def values(
    site: Site,
    offered: OfferedNewsletters,
    signup: SignupForm,
    *,
    observed: Stored,
    trace: Trace,
    **columns: str | None,
) -> dict[str, Any]:
    """Return the row of a sign-up. `observed` is what we saw of where and how it was posted, as evidence."""
    form = signup.agreed.form
    entered = {
        EvidenceField.NAME: signup.name,
        EvidenceField.LANGUAGE: signup.entered_language,
        EvidenceField.TIMEZONE: signup.timezone,
    }
    return signup_rows.values(
        site.keyring,
        address=signup.address,
        newsletters=[newsletter.id for newsletter in signup.newsletters],
        wording_id=signup.agreed.wording.id,
        form=signup.agreed.exhibit,
        form_id=form.id if form else None,
        language=signup.language,
        evidence={**entered, **observed, **_shown(signup, offered)},
        trace=trace,
        now=site.now(),
        **columns,
    )


def _shown(signup: SignupForm, offered: OfferedNewsletters) -> Stored:
    """Return, as evidence, which form showed the words, and which newsletters it offered."""
    form = signup.agreed.form
    if form is None:
        return {}
    return {
        EvidenceField.FORM_KIND: SHOWN_BY[form.kind],
        EvidenceField.FORM_LANGUAGE: form.language,
        EvidenceField.FORM_OFFERED: ", ".join(
            offered.slugs[number] for number in form.newsletters if number in offered.slugs
        ),
    }
