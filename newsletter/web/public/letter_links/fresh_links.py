"""The freshly mailed link, by which a reader sees and changes everything about their address."""

from typing import Any, NamedTuple

from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from newsletter import templating
from newsletter.consent.subscribers import address_changes
from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.languages.languages import Language
from newsletter.links import Purpose, fresh_until, is_fresh, mailed_at
from newsletter.mail.mailings import preference_links
from newsletter.newsletters import Newsletter
from newsletter.web.site import Site


class FreshReader(NamedTuple):
    """Who opened a fresh link that works now, and how their pages look."""

    subscriber: Subscriber
    token: str
    minute: int
    newsletter: Newsletter  # one that they get, or asked for once
    language: Language
    reads: bool  # they get a newsletter now

    @property
    def zone(self) -> str:
        """The time zone of what they read."""
        return self.subscriber.zone or self.newsletter.zone

    def shown(self, site: Site) -> dict[str, Any]:
        """Return the arguments of `Site.page` that all of their pages share."""
        return {
            "tag": self.language.tag,
            "newsletter": self.newsletter,
            "preferences": f"{site.root}/preferences/{self.token}",
            "until": templating.local(fresh_until(self.minute), self.zone),
        }


def opens(site: Site, session: Session, subscriber_id: int, minute: int) -> bool:
    """Return whether a fresh link of this minute works now: for 12 hours, unless its reader has moved meanwhile."""
    return is_fresh(minute, now=site.now()) and not address_changes.has_moved_since(
        session, subscriber_id, mailed_at(minute)
    )


def read(site: Site, session: Session, token: str) -> FreshReader | None:
    """Return the reader whom a fresh link names; None if it has ended, or if nothing is stored about them any more.

    Raises LinkUnreadable for any other token.
    """
    ids = subscriber_id, minute = site.links.read(token, Purpose.FRESH_PREFERENCES)
    subscriber = session.get(Subscriber, subscriber_id)
    if subscriber is None or subscriber.address is None or not opens(site, session, *ids):
        return None
    reads = preference_links.sender_of(session, subscriber_id, None)
    found = reads or preference_links.sender_of(session, subscriber_id, None, leavers_too=True)
    if found is None:
        return None
    again = site.links.token(Purpose.FRESH_PREFERENCES, subscriber_id, minute)
    return FreshReader(subscriber, again, minute, *found, reads=reads is not None)


def say_it_ended(site: Site, token: str) -> RedirectResponse:
    """Lead to the page of the link itself, which says that it has run out and mails a new one."""
    again = site.links.token(Purpose.FRESH_PREFERENCES, *site.links.read(token, Purpose.FRESH_PREFERENCES))
    return RedirectResponse(f"{site.root}/preferences/{again}", 303)
