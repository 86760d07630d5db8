"""The second step: a feed. A worker looks at its address, and the screen shows what would come before it is added."""

from collections.abc import Mapping
from typing import Any

from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.content import feed_facts, looking
from newsletter.content.feeds import requested_looks
from newsletter.content.feeds.requested_looks import RequestedLook
from newsletter.errors import Malformed, NotFound, Refused
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from newsletter.web import whole_numbers
from newsletter.web.desk import near_times
from newsletter.web.desk.first_steps import screens
from newsletter.web.desk.frame import forms
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.site import ReadingSession

NOTICES = {"added": "The newsletter is added, with a sign-up page in its language. Next, its articles."}
SHOWN_ARTICLES = 5

router = DeskRouter()


@router.page("/start/{slug}/feed", Role.EDITOR)
def feed_form(desk: CurrentDesk, session: ReadingSession, look: str = "") -> HTMLResponse:
    """Show the form, or what came of the look at an address."""
    newsletter = desk.newsletter
    return _page(desk, newsletter, _look(session, newsletter, look) if look else None)


@router.action("/start/{slug}/feed", Role.EDITOR)
def look(desk: CurrentDesk, form: PostedForm, slug: str) -> Response:
    """Ask for a look at the address."""
    url = forms.text(form, "url")
    try:
        with desk.site.database.writing() as session:
            newsletter = newsletters.named(session, slug)
            found = requested_looks.request(session, newsletter, url, actor=desk.operator.actor, now=desk.site.now())
    except Malformed as error:
        with desk.site.database.reading() as session:
            newsletter = newsletters.named(session, slug)
            return _page(desk, newsletter, None, url=url, errors={error.field: str(error)})
    desk.site.wakeups.wake(Queue.FEEDS)
    return desk.done(f"/start/{slug}/feed", look=str(found.id))


@router.action("/start/{slug}/feed/add", Role.EDITOR)
def add(desk: CurrentDesk, form: PostedForm, slug: str) -> Response:
    """Add the feed that was looked at, and go on to the digest. Pressing twice adds it once."""
    try:
        with desk.site.database.writing() as session:
            found = _look(session, newsletters.named(session, slug), forms.text(form, "look"))
            is_taken_anyway = forms.text(form, "anyway") == "yes"
            looking.add(session, found, anyway=is_taken_anyway, actor=desk.operator.actor, now=desk.site.now())
    except NotFound:
        raise
    except Refused as error:
        with desk.site.database.reading() as session:
            newsletter = newsletters.named(session, slug)
            found = _look(session, newsletter, forms.text(form, "look"))
            return _page(desk, newsletter, found, errors={"look": str(error)})
    desk.site.wakeups.wake(Queue.FEEDS)  # for the pictures
    return desk.done(f"/start/{slug}/digest", "feed-added")


def _look(session: Session, newsletter: Newsletter, number: str) -> RequestedLook:
    look_id = whole_numbers.parse(number)
    found = None if look_id is None else requested_looks.with_id(session, look_id)
    if found is None or found.newsletter_id != newsletter.id:
        raise NotFound("This look at an address is over: they are kept for a day. Enter the address again.")
    return found


def _page(
    desk: Desk,
    newsletter: Newsletter,
    look: RequestedLook | None,
    *,
    url: str = "",
    errors: Mapping[str, str] | None = None,
) -> HTMLResponse:
    now = desk.site.now()
    came = looking.seen(look) if look else None
    shown: dict[str, Any] | None = feed_facts.seen(came, now=now, number=SHOWN_ARTICLES) if came else None
    return desk.page(
        "first_steps/feed",
        notices=NOTICES,
        newsletter=newsletter,
        look=look,
        seen=shown,
        found_url=came.url if came else None,
        url=url or (look.url if look else ""),
        errors=errors,
        screens=screens.shown(newsletter.slug, "feed"),
        in_a_table=lambda moment: near_times.in_a_table(moment, zone=desk.operator.zone, now=now),
    )
