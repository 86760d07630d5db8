"""Sign-ups from the box on the publisher's page: which page the browser states, and what the box then tells."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from fastapi import Request
from markupsafe import Markup, escape

from newsletter.consent.evidence_terms import EvidenceField, EvidenceTerm, Stored
from newsletter.consent.wordings.forms import FormKind
from newsletter.languages.languages import language
from newsletter.languages.translatable import Translatable, translatable, translatable_plural
from newsletter.plain_text import UNSHOWN, shortened
from newsletter.web.form_data import FormData, first_value
from newsletter.web.public.check_inbox.page import WAIT_MINUTES, Sending
from newsletter.web.public.forms.signup_form import SignupForm

MAX_PAGE_CHARACTERS = 500


def is_of_box(signup: SignupForm) -> bool:
    """Whether the words were shown in the box."""
    return signup.agreed.form is not None and signup.agreed.form.kind is FormKind.BOX


def page_stated(request: Request, signup: SignupForm, form: FormData) -> Stored:
    """Return, as evidence, the page with the form: of the box as its script states it, else as the header Referer does.

    We did not see the page around a box: the browser states it.
    """
    page = _without_query(first_value(form, "page")) if is_of_box(signup) else ""
    if page:
        return {EvidenceField.PAGE: page, EvidenceField.PAGE_STATED_BY: EvidenceTerm.STATED_BY_BROWSER}
    return {EvidenceField.PAGE: _without_query(request.headers.get("referer"))}


def _without_query(url: str | None) -> str:
    """Return a web page's address without user, query and fragment, which may hold somebody's address or a secret.

    "" for one with a character that nobody sees: browsers encode these, and PostgreSQL takes no NUL.
    """
    if UNSHOWN.search(url or ""):
        return ""
    try:
        page = urlsplit(url or "")
    except ValueError:
        return ""
    if page.scheme not in ("http", "https") or not page.netloc:
        return ""
    return shortened(f"{page.scheme}://{page.netloc.rpartition('@')[2]}{page.path}", MAX_PAGE_CHARACTERS)


def told(signup: SignupForm, sending: Sending) -> Mapping[str, str]:
    """Return what the box shows after a sign-up. It is the same whatever is known about the address."""
    texts = {
        "title": [translatable("Check your inbox")],
        "message": [_message(signup, sending)],
        "hint": [
            translatable("If you already get this newsletter, nothing changes and no letter comes."),
            translatable(
                "Still nothing after ten minutes? Enter the address again, and we send another letter. We send at most "
                "three a day."
            ),
        ],
    }
    spoken = language(signup.language)
    return {name: " ".join(_plain(spoken.text(text)) for text in parts) for name, parts in texts.items()}


def _message(signup: SignupForm, sending: Sending) -> Translatable:
    address, sender = escape(signup.address.written), escape(signup.newsletters[0].sender)
    if sending is Sending.AGAIN:
        return translatable_plural(
            "If the last letter to <b>%(address)s</b> left more than %(num)s minute ago, we are sending another one. "
            "Open the newest letter and press <b>Confirm</b>. Until then you are not subscribed.",
            "If the last letter to <b>%(address)s</b> left more than %(num)s minutes ago, we are sending another one. "
            "Open the newest letter and press <b>Confirm</b>. Until then you are not subscribed.",
            WAIT_MINUTES,
            num=WAIT_MINUTES,
            address=address,
        )
    if sending is Sending.CORRECTED:
        return translatable(
            "We are sending a letter to <b>%(address)s</b> now. It comes from <b>%(sender)s</b>. Open it and press "
            "<b>Confirm</b>. The letter to the address that you entered before can no longer be confirmed.",
            address=address,
            sender=sender,
        )
    return translatable(
        "We are sending you a letter from <b>%(sender)s</b>. Open it and press <b>Confirm</b>. Until then you are not "
        "subscribed.",
        sender=sender,
    )


def _plain(html: str) -> str:
    return Markup(html).striptags()  # noqa: S704 - from the catalogue, with escaped values
