"""The row of a sign-up whose form is valid: what was entered, and which form of ours showed the words of consent."""

from collections.abc import Mapping
from typing import Any

from newsletter.consent import signup_rows
from newsletter.consent.forms import FormKind
from newsletter.consent.ledger import Trace
from newsletter.web.public.forms.signup_form import SignupForm
from newsletter.web.public.offered_newsletters import OfferedNewsletters
from newsletter.web.site import Site

SHOWN_BY = {
    FormKind.HOSTED: "hosted: on our own page",
    FormKind.BOX: "box on the publisher's page",
    FormKind.PASTED: "pasted: as generated; page not seen",
}


def values(
    site: Site,
    offered: OfferedNewsletters,
    signup: SignupForm,
    *,
    observed: Mapping[str, str],
    trace: Trace,
    **columns: str | None,
) -> dict[str, Any]:
    """Return the row of a sign-up. `observed` is what we saw of where and how it was posted, as evidence."""
    form = signup.agreed.form
    entered = {"name": signup.name, "language": signup.entered_language, "timezone": signup.timezone}
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


def _shown(signup: SignupForm, offered: OfferedNewsletters) -> dict[str, str]:
    """Return, as evidence, which form showed the words, and which newsletters it offered."""
    form = signup.agreed.form
    if form is None:
        return {}
    return {
        "form_kind": SHOWN_BY[form.kind],
        "form_language": form.language,
        "form_offered": ", ".join(offered.slugs[number] for number in form.newsletters if number in offered.slugs),
    }
