"""Change a feed: its title, its address, the newsletter that reads it; and remove it."""

from collections.abc import Callable
from contextlib import suppress

from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from newsletter.content import feed_changes, looking
from newsletter.content.feeds import feeds, requested_looks
from newsletter.content.feeds.feeds import Feed
from newsletter.errors import Malformed, NotFound, Refused
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from newsletter.web.desk.feeds import looks, one_feed
from newsletter.web.desk.feeds.adding import editable
from newsletter.web.desk.frame import forms
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.form_data import FormData
from newsletter.web.site import ReadingSession

router = DeskRouter()


@router.action("/feeds/{feed_id}/title", Role.EDITOR)
def rename(desk: CurrentDesk, feed_id: int, form: PostedForm) -> Response:
    """Show a title of the operator's instead of the feed's own; without one, the feed's own again."""

    def change(session: Session, feed: Feed) -> None:
        title = forms.text(form, "title") or None
        if title != feed.own_title:
            feed_changes.rename(session, feed, title, actor=desk.operator.actor, now=desk.site.now())

    return _changed(desk, feed_id, form, change, "renamed")


@router.action("/feeds/{feed_id}/newsletter", Role.EDITOR)
def move(desk: CurrentDesk, feed_id: int, form: PostedForm) -> Response:
    """Let another newsletter read the feed, of which the operator may edit the feeds, too."""

    def change(session: Session, feed: Feed) -> None:
        reader = editable(session, desk, forms.text(form, "newsletter"))
        if reader.id != feed.newsletter_id:
            feed_changes.move(session, feed, reader, actor=desk.operator.actor, now=desk.site.now())

    return _changed(desk, feed_id, form, change, "moved")


@router.page("/feeds/{feed_id}/address", Role.EDITOR)
def address(desk: CurrentDesk, session: ReadingSession, feed_id: int, look: str = "") -> HTMLResponse:
    """Show the form for another address, or what came of the look at it."""
    return _address(desk, session, feed_id, look)


@router.action("/feeds/{feed_id}/address", Role.EDITOR)
def look_at_address(desk: CurrentDesk, feed_id: int, form: PostedForm) -> Response:
    """Ask for a look at another address of the feed."""
    url = forms.text(form, "url")
    try:
        with desk.site.database.writing() as session:
            feed, reader = _read(session, feed_id)
            found = requested_looks.request(
                session, reader, url, feed=feed, actor=desk.operator.actor, now=desk.site.now()
            )
    except Malformed as error:
        with desk.site.database.reading() as session:
            return _address(desk, session, feed_id, "", url=url, error=str(error))
    desk.site.wakeups.wake(Queue.FEEDS)
    return desk.done(f"/feeds/{feed_id}/address", look=str(found.id))


@router.action("/feeds/{feed_id}/readdress", Role.EDITOR)
def readdress(desk: CurrentDesk, feed_id: int, form: PostedForm) -> Response:
    """Read the feed from the address that was looked at."""
    look_id = forms.text(form, "look")
    try:
        with desk.site.database.writing() as session:
            found, _ = looks.named(session, desk, look_id)
            if found.feed_id != feed_id:
                raise NotFound
            is_taken_anyway = forms.text(form, "anyway") == "yes"
            looking.readdress(session, found, anyway=is_taken_anyway, actor=desk.operator.actor, now=desk.site.now())
    except Refused as error:
        if isinstance(error, NotFound):
            raise
        with desk.site.database.reading() as session:
            return _address(desk, session, feed_id, look_id, error=str(error))
    return desk.done(f"/feeds/{feed_id}", "readdressed")


@router.page("/feeds/{feed_id}/remove", Role.EDITOR)
def ask_to_remove(desk: CurrentDesk, session: ReadingSession, feed_id: int) -> HTMLResponse:
    """Say what is lost and what stays before a feed is removed."""
    feed, reader = _read(session, feed_id)
    removal = feed_changes.preview_removal(session, feed)
    return desk.page("feeds/remove", feed=feed, reader=reader, removal=removal)


@router.action("/feeds/{feed_id}/remove", Role.EDITOR)
def remove(desk: CurrentDesk, feed_id: int) -> Response:
    """Remove the feed and its unused articles; one that was removed already stays so."""
    with suppress(NotFound), desk.site.database.writing() as session:
        feed = feeds.numbered(session, feed_id, for_change=True)
        feed_changes.remove(session, feed, actor=desk.operator.actor, now=desk.site.now())
    return desk.done("/feeds", "removed")


def _changed(
    desk: Desk, feed_id: int, form: FormData, change: Callable[[Session, Feed], None], notice: str
) -> Response:
    """Change the feed, or show its page again with the error beside the field."""
    try:
        with desk.site.database.writing() as session:
            change(session, feeds.numbered(session, feed_id, for_change=True))
    except Malformed as error:
        entered = {name: forms.text(form, name) for name in ("title", "newsletter") if name in form}
        with desk.site.database.reading() as session:
            field = error.field if error.field in entered else next(iter(entered), "title")
            return one_feed.page(desk, session, feed_id, entered=entered, errors={field: str(error)})
    return desk.done(f"/feeds/{feed_id}", notice)


def _address(
    desk: Desk, session: Session, feed_id: int, look_id: str, *, url: str = "", error: str | None = None
) -> HTMLResponse:
    feed, reader = _read(session, feed_id)
    errors = {"url": error} if error else {}
    if not look_id:
        return desk.page("feeds/address", feed=feed, reader=reader, url=url, errors=errors)
    found, _ = looks.named(session, desk, look_id)
    if found.feed_id != feed.id:
        raise NotFound
    shown = looks.shown(found, desk)
    return desk.page("feeds/look", feed=feed, reader=reader, errors=errors, added=None, **shown)


def _read(session: Session, feed_id: int) -> tuple[Feed, Newsletter]:
    feed = feeds.numbered(session, feed_id)
    return feed, session.get_one(Newsletter, feed.newsletter_id)
