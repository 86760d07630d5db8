"""What a posted form tells about who filled it in: the doubt, and the solution of a proof of work."""

from datetime import datetime

from newsletter.consent.limits import form_signs, proof_of_work
from newsletter.consent.limits.form_signs import TRAP_FIELD
from newsletter.keys import Keyring
from newsletter.web.form_data import FormData, first_value
from newsletter.web.public.forms import form_times

SHOWN_AT = "shown_at"


def read(form: FormData, keyring: Keyring, *, now: datetime) -> dict[str, str | None]:
    """Return the columns `doubt` and `solution` of a sign-up. A worker checks the solution: the site has no time to."""
    age = form_times.age(keyring, first_value(form, SHOWN_AT), now=now)
    posted = first_value(form, proof_of_work.FIELD)
    return {
        "doubt": form_signs.doubt_of(trap=first_value(form, TRAP_FIELD), age=age),
        "solution": posted if proof_of_work.SHAPE.fullmatch(posted) else None,
    }
