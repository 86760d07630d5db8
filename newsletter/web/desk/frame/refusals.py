"""Why the desk lets a request not in."""

from newsletter.errors import NewsletterError, Refused
from newsletter.web.form_data import FormData


class NotSignedIn(NewsletterError):
    """Nobody has signed in, or the session is over. `form` is what was posted, None for a page."""

    def __init__(self, form: FormData | None = None) -> None:
        super().__init__("Please sign in.")
        self.form = form


class RoleMissing(Refused):
    """The operator's role does not suffice."""

    default = "Your role does not allow this. An administrator can change it."


class ForeignForm(Refused):
    """A form that did not come from a page of this desk."""

    default = "This form did not come from this desk, so nothing was changed. Open the page again and repeat it."
