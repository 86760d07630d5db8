"""Add a feed: enter its address, see what would come, add it. A worker looks at the address; no page waits for it."""

from typing import Any

from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.content import looking
from newsletter.content.feeds import requested_looks
from newsletter.errors import Malformed, NotFound, Refused
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from newsletter.web.desk.feeds import looks
from newsletter.web.desk.frame import forms
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.desk.frame.refusals import RoleMissing
from newsletter.web.site import ReadingSession

router = DeskRouter()


@router.page("/feeds/new", Role.EDITOR, AccessScope.SOMEWHERE)
def new(desk: CurrentDesk, session: ReadingSession, look: str = "", newsletter: str = "") -> HTMLResponse:
    """Show the form, or what came of the look at an address."""
    if not look:
        return _form(desk, session, {"newsletter": newsletter})
    found, reader = looks.named(session, desk, look)
    return desk.page("feeds/look", reader=reader, feed=None, **looks.shown(found, desk), added=found.feed_id)


@router.action("/feeds/new", Role.EDITOR, AccessScope.SOMEWHERE)
def look(desk: CurrentDesk, form: PostedForm) -> Response:
    """Ask for a look at the address."""
    entered = {"newsletter": forms.text(form, "newsletter"), "url": forms.text(form, "url")}
    try:
        with desk.site.database.writing() as session:
            reader = editable(session, desk, entered["newsletter"])
            found = requested_looks.request(
                session, reader, entered["url"], actor=desk.operator.actor, now=desk.site.now()
            )
    except Malformed as error:
        with desk.site.database.reading() as session:
            return _form(desk, session, entered, {error.field: str(error)})
    desk.site.wakeups.wake(Queue.FEEDS)
    return desk.done("/feeds/new", look=str(found.id))


@router.action("/feeds/add", Role.EDITOR, AccessScope.SOMEWHERE)
def add(desk: CurrentDesk, form: PostedForm) -> Response:
    """Add the feed that was looked at. Pressing twice adds it once."""
    with desk.site.database.reading() as session:  # first of all whether the operator may
        looks.named(session, desk, forms.text(form, "look"))
    try:
        with desk.site.database.writing() as session:
            found, _ = looks.named(session, desk, forms.text(form, "look"))
            is_taken_anyway = forms.text(form, "anyway") == "yes"
            feed = looking.add(session, found, anyway=is_taken_anyway, actor=desk.operator.actor, now=desk.site.now())
    except Refused as error:
        if isinstance(error, NotFound):
            raise
        with desk.site.database.reading() as session:
            found, reader = looks.named(session, desk, forms.text(form, "look"))
            shown = looks.shown(found, desk)
            return desk.page("feeds/look", reader=reader, feed=None, errors={"url": str(error)}, **shown, added=None)
    desk.site.wakeups.wake(Queue.FEEDS)  # for the pictures
    return desk.done(f"/feeds/{feed.id}", "added")


def editable(session: Session, desk: Desk, slug: str) -> Newsletter:
    """Return the newsletter that a form names.

    Raises Malformed if it names none that the operator sees, and RoleMissing if they may not edit its feeds.
    """
    found = newsletters.by_slug(session, slug)
    if found is None or not desk.operator.may(Role.VIEWER, found.id):
        raise Malformed("newsletter", "Choose a newsletter.")
    if not desk.operator.may(Role.EDITOR, found.id):
        raise RoleMissing
    return found


def _form(desk: Desk, session: Session, entered: dict[str, Any], errors: dict[str, str] | None = None) -> HTMLResponse:
    pairs = looks.editable_newsletters(session, desk)
    entered = {"url": "", **entered}
    return desk.page("feeds/new", pairs=pairs, entered=entered, errors=errors)
