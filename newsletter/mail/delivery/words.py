"""Write the fields of a letter that are words, in the language that their names say: the greeting, and times."""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache, partial

from newsletter import templating
from newsletter.consent.link_lifetime import LINK_LIFETIME
from newsletter.languages.catalogues import DEFAULT
from newsletter.languages.languages import Language
from newsletter.languages.translatable import translatable
from newsletter.links import fresh_until, minute_of
from newsletter.mail.delivery.claims import Claimed
from newsletter.mail.letters import mime, worded_fields
from newsletter.mail.letters.fields import CACHED_NAMES, as_bytes
from newsletter.mail.letters.merge import FieldError

NAMELESS = translatable("Dear reader,")


def function(name: str) -> Callable[[Claimed], str | bytes]:
    """Return the function that writes the field of this name. Raises KeyError if this release knows no such field."""
    field, language = worded_fields.read(name)
    return _FUNCTIONS[field](language)


def nameless_greeting(language: Language) -> str:
    """Return the greeting of a reader whose name is unknown."""
    return language.text(NAMELESS)


def confirmation_times(received_at: datetime, asked_at: datetime, zone: str, *, language: Language) -> dict[str, str]:
    """Return the fields of a confirmation letter that say when the sign-up came and when its link expires.

    The link lives from the time when the letter was owed (`asked_at`), which may be hours later.
    """
    return {
        "requested_at": language.exactly(templating.local(received_at, zone)),
        "expires_at": _expires_at(language, asked_at, zone),
    }


def on_one_line(name: str) -> str:
    """Return a name without line breaks. Raises FieldError, which does not quote it, if it has other controls."""
    name = " ".join(name.split())
    if mime.CONTROLS.search(name):
        raise FieldError("the field name cannot be filled: it contains a control character or half a surrogate pair")
    return name


def unknown(field: str) -> FieldError:
    """Return the error of a field for which the delivery has no value."""
    return FieldError(f"the field {field} cannot be filled: this delivery has no value for it")


def _greeting(language: Language) -> Callable[[Claimed], str | bytes]:
    nameless = as_bytes(nameless_greeting(language))

    @lru_cache(maxsize=CACHED_NAMES)
    def greeting(name: str) -> str | bytes:
        if language.tag == DEFAULT:  # as releases without languages wrote it, so that a repeat has the same bytes
            return as_bytes(f"Dear {on_one_line(name)},")
        return as_bytes(language.text(translatable("Dear %(name)s,", name=on_one_line(name))))

    return lambda claimed: greeting(claimed.name) if claimed.name else nameless


def _times(field: str, language: Language) -> Callable[[Claimed], str]:
    def time(claimed: Claimed) -> str:
        if claimed.received_at is None or claimed.asked_at is None:
            raise unknown("requested_at")
        return confirmation_times(claimed.received_at, claimed.asked_at, claimed.zone, language=language)[field]

    return time


def _fresh_until(language: Language) -> Callable[[Claimed], str]:
    return lambda claimed: language.when(templating.local(fresh_until(minute_of(claimed.first_tried_at)), claimed.zone))


_FUNCTIONS: dict[str, Callable[[Language], Callable[[Claimed], str | bytes]]] = {
    "greeting": _greeting,
    "requested_at": partial(_times, "requested_at"),
    "expires_at": partial(_times, "expires_at"),
    "fresh_until": _fresh_until,
}


@lru_cache(maxsize=64)
def _expires_at(language: Language, asked_at: datetime, zone: str) -> str:
    """Format the end of a link's life; cached because the letters of a set share it."""
    return language.when(templating.local(asked_at + LINK_LIFETIME, zone))
