"""Why the desk lets a request not in."""

from newsletter.errors import NewsletterError, Refused
from newsletter.web.form_data import FormData


class NotSignedIn(NewsletterError):
    """Nobody has signed in, or the session is over.

    `form` is what was posted, None for a page; `form_of` is the operator who saw the form, 0 if nobody had signed in.
    """

    def __init__(self, form: FormData | None = None, form_of: int = 0) -> None:
        super().__init__("Please sign in.")
        self.form = form
        self.form_of = form_of


class RoleMissing(Refused):
    """The operator's role does not suffice."""

    default = "Your role does not allow this. An administrator can change it."


class OnlyByForm(Refused):
    """The address of a form was opened like a page, or the other way round."""

    default = "Nothing was changed. Go back to the page with the form."


class OtherOperator(Refused):
    """A form that another operator had opened in this browser."""

    default = "Another operator opened this form, so nothing was changed. Open the page again to do it yourself."


class ForeignForm(Refused):
    """A form that did not come from a page of this desk."""

    default = "This form did not come from this desk, so nothing was changed. Open the page again and repeat it."
