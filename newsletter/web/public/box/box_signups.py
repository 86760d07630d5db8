"""Sign-ups from the box on the publisher's page: which page the browser states, and what the box then tells."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from fastapi import Request
from markupsafe import Markup

from newsletter.consent.evidence_terms import EvidenceField, EvidenceTerm, Stored
from newsletter.consent.forms import FormKind
from newsletter.languages.languages import language
from newsletter.languages.translatable import translatable
from newsletter.plain_text import UNSHOWN
from newsletter.web.form_data import FormData, first_value
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
    return f"{page.scheme}://{page.netloc.rpartition('@')[2]}{page.path}"[:MAX_PAGE_CHARACTERS]


def told(signup: SignupForm) -> Mapping[str, str]:
    """Return what the box shows after a sign-up. It is the same for every address."""
    sender = signup.newsletters[0].sender
    texts = {
        "title": translatable("Check your inbox"),
        "message": translatable(
            "We are sending you a letter from <b>%(sender)s</b>. Open it and press <b>Confirm</b>. Until then you are "
            "not subscribed.",
            sender=sender,
        ),
        "hint": translatable(
            "Still nothing after ten minutes? Enter the address again, and we send another letter. We send at most "
            "three a day."
        ),
    }
    return {name: Markup(language(signup.language).text(text)).striptags() for name, text in texts.items()}  # noqa: S704 - from the catalogue
