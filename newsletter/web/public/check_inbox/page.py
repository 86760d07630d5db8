"""The answer to a sign-up: one page for everybody, with what the visitor entered, and two ways to mend it.

The page shows back the address that was entered, so that a slip is seen; nothing on it depends on what is known about
that address. Its forms post the same form again, with the name of the sign-up that they repeat or correct.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from markupsafe import Markup, escape

from newsletter.consent.limits import tickets
from newsletter.consent.link_lifetime import LINK_HOURS
from newsletter.consent.signups.replacements import Former
from newsletter.mail.mailings.confirmations.rules import ASK_AGAIN_AFTER
from newsletter.web.form_data import FormData
from newsletter.web.public.check_inbox import webmail
from newsletter.web.public.check_inbox.address_suggestions import suggestion
from newsletter.web.public.check_inbox.filled_page import FilledPage, place
from newsletter.web.public.forms.posted_signs import SHOWN_AT
from newsletter.web.public.forms.signup_form import SignupForm
from newsletter.web.public.offered_newsletters import OfferedNewsletters
from newsletter.web.site import Site

# What is posted again as it was: what the visitor chose and entered, which form showed the words of consent, and when.
REPEATED_FIELDS = ("newsletters", "wording", "form", "name", "language", "timezone", SHOWN_AT)
WAIT_MINUTES = int(ASK_AGAIN_AFTER.total_seconds()) // 60
LETTERS_A_DAY = len((tickets.UNTAGGED_ONLY, *tickets.FOR_ALL))

ADDRESS, FIELDS, SUGGESTION, WEBMAIL, ENTRANCE = "address", "fields", "suggestion", "webmail", "entrance"


class Sending(StrEnum):
    """What a posted form asks for."""

    FIRST = "first"
    AGAIN = "again"  # another letter to the same address
    CORRECTED = "corrected"  # the letter to another address than before


def sending(signup: SignupForm, former: Former | None) -> Sending:
    """Return what a form asks for, by the sign-up that it names, if it names any."""
    if former is None:
        return Sending.FIRST
    return Sending.AGAIN if former.address_key == signup.address.key else Sending.CORRECTED


class CheckInbox(NamedTuple):
    """A sign-up that was stored, as far as its answer shows it."""

    signup: SignupForm
    form: FormData  # as posted
    name: str  # of the stored sign-up, by which the next one replaces it; "" if it has none
    sending: Sending
    back: str | None = None  # the address of the registered site with the form, to which the page leads back


def doubts(answer: CheckInbox) -> dict[str, str]:
    """Return what a program may ask its visitor: the address that was probably meant, and what to post with another.

    Empty unless the domain looks mistyped: the answer to everybody else is the same to the byte.
    """
    meant = suggestion(answer.signup.address)
    return {"suggestion": meant, **named(answer)} if meant else {}


def named(answer: CheckInbox) -> dict[str, str]:
    """Return the field that names the stored sign-up in the next form, which then replaces it."""
    return {"replaces": answer.name} if answer.name else {}


def show(site: Site, offered: OfferedNewsletters, answer: CheckInbox) -> bytes:
    """Return the page. It is rendered once for each reading of the newsletters, and filled for each visitor."""
    signup = answer.signup
    meant, entrance = suggestion(signup.address), webmail.of(signup.address.key.rpartition("@")[2])
    key = (
        tuple(newsletter.id for newsletter in signup.newsletters),
        *(signup.language, answer.sending, bool(meant), bool(entrance), answer.back),
    )
    page = offered.answers.get(key)
    if page is None:
        page = offered.answers[key] = FilledPage(
            _rendered(site, answer, has_suggestion=bool(meant), has_webmail=bool(entrance))
        )
    name, url = entrance or ("", "")
    fields = Markup("".join(_hidden(answer)))  # noqa: S704 - each value is escaped
    return page.filled(
        {ADDRESS: signup.address.written, SUGGESTION: meant or "", FIELDS: fields, WEBMAIL: name, ENTRANCE: url}
    )


def _rendered(site: Site, answer: CheckInbox, *, has_suggestion: bool, has_webmail: bool) -> str:
    signup = answer.signup
    page = site.page(
        "check_inbox",
        tag=signup.language,
        newsletter=signup.newsletters[0],
        newsletters=signup.newsletters,
        sender=signup.newsletters[0].sender,
        sending=answer.sending,
        address=place(ADDRESS),
        fields=place(FIELDS),
        suggestion=place(SUGGESTION) if has_suggestion else None,
        webmail={"name": place(WEBMAIL), "url": place(ENTRANCE)} if has_webmail else None,
        confirm_hours=LINK_HOURS,
        wait_minutes=WAIT_MINUTES,
        letters_a_day=LETTERS_A_DAY,
        back=answer.back,
        outbox=site.shows_outbox,
    )
    return bytes(page.body).decode()


def _hidden(answer: CheckInbox) -> Iterator[str]:
    """Yield the hidden fields of a form that posts the same form again."""
    values = [(field, value) for field in REPEATED_FIELDS for value in answer.form.get(field, ()) if value]
    for field, value in (*values, ("consent", "true"), ("replaces", answer.name)):
        yield f'<input type="hidden" name="{field}" value="{escape(value)}">'
