"""The exceptions with a message for people.

    NewsletterError
    ├── Misconfigured       the operator must correct a setting       exit 2
    ├── Refused             the visitor or operator can act           4xx, exit 1
    │   ├── Malformed       a field has an invalid value; names the field
    │   ├── LinkRefused     a letter's link, and what it tells although it cannot be used
    │   │   ├── LinkUnreadable  the link is cut off, mistyped or for another purpose
    │   │   └── LinkExpired     the link is no longer valid
    │   └── NotFound        there is nothing of that name
    ├── FetchError          a web server returned nothing usable; Forbidden: we may not fetch it;
    │                       ServerUnavailable: a later try may succeed
    ├── FeedUnreadable      the document cannot be read as a feed
    ├── PictureUnsuitable   the document is no picture that can lead an article
    └── HeaderError, FieldError   a letter cannot be written like this

The type determines what to do next. What a visitor may see is a `Translatable`, which the page puts into the visitor's
language; the command line and logs show it in English. Nothing here knows HTTP or SMTP: web/failures.py and the mail
transports translate.
"""

from newsletter.languages.translatable import Translatable, translatable


class NewsletterError(Exception):
    """An error with a message for people; `told` is the message, Translatable if visitors may see it."""

    default: Translatable | str = translatable("Something went wrong.")

    def __init__(self, told: Translatable | str | None = None) -> None:
        self.told = self.default if told is None else told
        super().__init__(str(self.told))


class Misconfigured(NewsletterError):
    """A setting is wrong or missing."""

    default = "A setting is wrong or missing."


class Refused(NewsletterError):
    """The visitor or operator asked for something that cannot be done."""

    default: Translatable | str = translatable("We could not accept your request.")


class Malformed(Refused):
    """A field has an invalid value."""

    def __init__(self, field: str, told: Translatable | str) -> None:
        super().__init__(told)
        self.field = field


class LinkRefused(Refused):
    """A letter's link that cannot be used.

    `newsletter_id` and `language`, a tag, are what it tells nevertheless, so that the page about it looks familiar.
    """

    def __init__(self, *, newsletter_id: int | None = None, language: str | None = None) -> None:
        super().__init__()
        self.newsletter_id = newsletter_id
        self.language = language


class LinkUnreadable(LinkRefused):
    """A link is incomplete, mistyped or for another purpose."""

    default = translatable("This link is incomplete. Please open it from the letter again, or copy all of it.")


class LinkExpired(LinkRefused):
    """A link is no longer valid."""

    default = translatable("This link has expired. If you want the newsletter, please sign up again.")


class NotFound(Refused):
    """There is nothing of that name."""

    default = translatable("There is nothing with that name here.")
