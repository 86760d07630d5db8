"""Sign-ups from the box on the publisher's page: which page the browser states, and what the box then tells."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from markupsafe import Markup

from newsletter.consent.forms import FormKind
from newsletter.languages.languages import language
from newsletter.languages.translatable import translatable
from newsletter.web.form_data import FormData, first_value
from newsletter.web.public.forms.signup_form import SignupForm

MAX_PAGE_CHARACTERS = 500
STATED = "the browser"


def is_of_box(signup: SignupForm) -> bool:
    """Whether the words were shown in the box."""
    return signup.agreed.form is not None and signup.agreed.form.kind is FormKind.BOX


def page_stated(signup: SignupForm, form: FormData) -> Mapping[str, str]:
    """Return, as evidence, the page around the box, without query and fragment; nothing if it is no web page's address.

    We did not see the page: the browser states it.
    """
    try:
        page = urlsplit(first_value(form, "page"))
    except ValueError:
        return {}
    if not is_of_box(signup) or page.scheme not in ("http", "https") or not page.netloc:
        return {}
    host = page.netloc.rpartition("@")[2]
    return {"page": f"{page.scheme}://{host}{page.path}"[:MAX_PAGE_CHARACTERS], "page_stated_by": STATED}


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
