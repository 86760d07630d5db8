"""Everything that can go wrong in words a person understands.

    NewsletterError
    ├── Misconfigured       the operator mends a setting              exit 2
    ├── Refused             the asker can act                         4xx, exit 1
    │   ├── Malformed       what was entered cannot be used; names the field
    │   ├── LinkUnreadable  the link is cut, mistyped or for another purpose
    │   ├── LinkExpired     the link was good and is not any more
    │   └── NotFound        nothing of that name
    ├── FetchError          a web server gave us nothing usable; Forbidden: we may not ask it
    ├── NotAFeed            what it gave us cannot be read
    └── HeaderError, FieldError   a letter cannot be written so

The type says what to do next; the class docstring is the message where none is given. No HTTP and no SMTP here:
web/failures.py and the postmen translate.
"""


class NewsletterError(Exception):
    """Something that the newsletter can explain."""

    def __str__(self) -> str:
        return super().__str__() or (self.__doc__ or "").strip().splitlines()[0]


class Misconfigured(NewsletterError):
    """A setting is wrong or missing."""


class Refused(NewsletterError):
    """We could not accept that request."""


class Malformed(Refused):
    """What was entered cannot be used."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class LinkUnreadable(Refused):
    """This link is not complete. Please open it once more from the letter, or copy all of it."""


class LinkExpired(Refused):
    """This link has expired. If you want the newsletter, please sign up again."""


class NotFound(Refused):
    """There is nothing of that name here."""
