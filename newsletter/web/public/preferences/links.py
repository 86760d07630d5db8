"""The links that open the preferences pages."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from newsletter.errors import LinkUnreadable
from newsletter.links import Purpose
from newsletter.web.public.letter_links import fresh_links
from newsletter.web.site import Site


class PreferencesLink(NamedTuple):
    """What a token names, and the languages that the visitor's browser wants."""

    subscriber: int
    newsletter: int | None = None  # whose letter it is from; None: a letter of an older release, or a fresh link
    minute: int | None = None  # of a fresh link
    is_fresh: bool = False  # it works now
    wanted: Sequence[str] = ()  # for pages that do not know the reader's language

    def token(self, site: Site) -> str:
        """Return the link's token, without what a mail program has appended, for the paths of its pages."""
        if self.minute is not None:
            return site.links.token(Purpose.FRESH_PREFERENCES, self.subscriber, self.minute)
        ids = (self.subscriber,) if self.newsletter is None else (self.subscriber, self.newsletter)
        return site.links.token(Purpose.PREFERENCES, *ids)


def read(site: Site, session: Session, token: str, wanted: Sequence[str]) -> PreferencesLink:
    """Return what a token names. Raises LinkUnreadable."""
    try:
        subscriber, *of_newsletter = site.links.read(token, Purpose.PREFERENCES)
    except LinkUnreadable:
        subscriber, minute = site.links.read(token, Purpose.FRESH_PREFERENCES)
        return PreferencesLink(subscriber, None, minute, fresh_links.opens(site, session, subscriber, minute), wanted)
    return PreferencesLink(subscriber, of_newsletter[0] if of_newsletter else None, wanted=wanted)
