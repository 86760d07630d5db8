"""Draft an issue by hand, from the newest articles of a newsletter."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.content.digests import drafting
from newsletter.content.issues.issues import MAX_ARTICLES, Issue
from newsletter.errors import Malformed, Refused
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.web import whole_numbers
from newsletter.web.desk.frame import forms
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.site import ReadingSession

USUAL_ARTICLES = 12
MAX_DIGITS = 4

router = DeskRouter()


@router.page("/issues/draft", Role.EDITOR, AccessScope.SOMEWHERE)
def drafting_form(request: Request, desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show the form."""
    wanted = request.query_params.get("newsletter", "")
    newest = session.scalar(select(func.max(Issue.id))) or 0
    values = {"newsletter": wanted, "articles": str(USUAL_ARTICLES), "archive": "", "newest": str(newest)}
    return _page(desk, session, values)


@router.action("/issues/draft", Role.EDITOR, AccessScope.SOMEWHERE)
def draft(desk: CurrentDesk, form: PostedForm) -> Response:
    """Draft the issue and lead to it; a form that is sent twice leads to the same issue."""
    values = {name: forms.text(form, name) for name in ("newsletter", "articles", "archive", "newest")}
    try:
        with desk.site.database.writing() as session:
            newsletter = _newsletter(desk, session, values["newsletter"])
            if number := _drafted_since(session, newsletter, values["newest"]):
                return desk.done(f"/issues/{number}", "already")
            issue = drafting.draft(
                session,
                newsletter,
                articles=_number(values["articles"]),
                archive=bool(values["archive"]),
                actor=desk.operator.actor,
                now=desk.site.now(),
            )
            number = issue.id
    except Malformed as error:
        return _again(desk, values, {error.field: str(error)}, 422)
    except Refused as error:
        return _again(desk, values, {"newsletter": _without_command(str(error))}, 422)
    return desk.done(f"/issues/{number}", "drafted")


def _newsletter(desk: Desk, session: Session, slug: str) -> Newsletter:
    found = newsletters.by_slug(session, slug)
    if found is None or not desk.operator.may(Role.EDITOR, found.id):
        raise Malformed("newsletter", "Choose one of the newsletters.")
    return found


def _drafted_since(session: Session, newsletter: Newsletter, newest: str) -> int | None:
    """Return the issue that was drafted by hand since the form was shown, when `newest` was the newest issue."""
    newsletters.lock(session, newsletter.id)  # or the same form, sent twice, could be answered twice at once
    number = whole_numbers.parse(newest)
    if number is None:
        return None
    by_hand = select(Issue.id).where(Issue.newsletter_id == newsletter.id, Issue.digest_id.is_(None))
    return session.scalar(by_hand.where(Issue.id > number).order_by(Issue.id).limit(1))


def _number(text: str) -> int:
    number = whole_numbers.parse(text, digits=MAX_DIGITS)
    if number is None:
        raise Malformed("articles", f"Enter a number from 1 to {MAX_ARTICLES}.")
    return number


def _without_command(message: str) -> str:
    """Return a refusal without the command that the command line proposes after the last colon."""
    return message.split(": newsletter ", 1)[0].rstrip(".") + "."


def _again(desk: Desk, values: Mapping[str, str], errors: Mapping[str, str], status: int) -> HTMLResponse:
    with desk.site.database.reading() as session:
        return _page(desk, session, values, errors, status=status)


def _page(
    desk: Desk,
    session: Session,
    values: Mapping[str, str],
    errors: Mapping[str, Any] | None = None,
    *,
    status: int | None = None,
) -> HTMLResponse:
    mine = desk.operator.grants.among(Newsletter.id, Role.EDITOR)
    rows = session.execute(select(Newsletter.slug, Newsletter.name).where(mine).order_by(Newsletter.name))
    choices = [(row.slug, row.name) for row in rows]
    return desk.page("issues/draft", status=status, newsletters=choices, values=values, errors=errors)
