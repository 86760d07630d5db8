"""The look at an address on its page: pending, what would come, or why nothing comes."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.content import feed_facts, looking
from newsletter.content.feeds import requested_looks
from newsletter.content.feeds.requested_looks import RequestedLook
from newsletter.errors import NotFound
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.web import whole_numbers
from newsletter.web.desk.frame.desk import Desk

SHOWN_ARTICLES = 10


def named(session: Session, desk: Desk, look_id: str) -> tuple[RequestedLook, Newsletter]:
    """Return the look of that id and its newsletter.

    Raises NotFound if there is none, or the operator may not edit the feeds of its newsletter.
    """
    number = whole_numbers.parse(look_id)
    look = None if number is None else requested_looks.with_id(session, number)
    if look is None or not desk.operator.may(Role.EDITOR, look.newsletter_id):
        raise NotFound("This look at an address is over: they are kept for a day. Enter the address again.")
    return look, session.get_one(Newsletter, look.newsletter_id)


def shown(look: RequestedLook, desk: Desk) -> dict[str, Any]:
    """Return the context of templates/desk/feeds/look.html."""
    now = desk.site.now()
    came = looking.seen(look)
    return {
        "look_id": look.id,
        "entered": look.url,
        "is_pending": came is None,
        "waited": int((now - look.requested_at).total_seconds()),
        "found_url": came.url if came else None,
        "seen": feed_facts.seen(came, now=now, number=SHOWN_ARTICLES) if came else None,
        "looked_at": look.looked_at,
    }


def editable_newsletters(session: Session, desk: Desk, *, besides: int | None = None) -> list[tuple[str, str]]:
    """Return slug and name of the newsletters whose feeds and digests the operator may edit, oldest first."""
    among = desk.operator.grants.among(Newsletter.id, Role.EDITOR)
    found = select(Newsletter.slug, Newsletter.name).where(among).order_by(Newsletter.id)
    if besides is not None:
        found = found.where(Newsletter.id != besides)
    return [(slug, name) for slug, name in session.execute(found)]
