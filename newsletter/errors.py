"""The exceptions with a message for people.

    NewsletterError
    ├── Misconfigured       the operator must correct a setting       exit 2
    ├── Refused             the visitor or operator can act           4xx, exit 1
    │   ├── Malformed       a field has an invalid value; names the field
    │   ├── LinkUnreadable  the link is cut off, mistyped or for another purpose
    │   ├── LinkExpired     the link is no longer valid
    │   └── NotFound        there is nothing of that name
    ├── FetchError          a web server returned nothing usable; Forbidden: we may not fetch it;
    │                       ServerUnavailable: a later try may succeed
    ├── FeedUnreadable      the document cannot be read as a feed
    ├── PictureUnsuitable   the document is no picture that can lead an article
    └── HeaderError, FieldError   a letter cannot be written like this

The type determines what to do next; the class docstring is the default message. Nothing here knows HTTP or SMTP:
web/failures.py and the mail transports translate.
"""


class NewsletterError(Exception):
    """An error with a message for people."""

    def __str__(self) -> str:
        return super().__str__() or (self.__doc__ or "").strip().splitlines()[0]


class Misconfigured(NewsletterError):
    """A setting is wrong or missing."""


class Refused(NewsletterError):
    """We could not accept your request."""


class Malformed(Refused):
    """A field has an invalid value."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class LinkUnreadable(Refused):
    """This link is incomplete. Please open it from the letter again, or copy all of it."""


class LinkExpired(Refused):
    """This link has expired. If you want the newsletter, please sign up again."""


class NotFound(Refused):
    """There is nothing with that name here."""
