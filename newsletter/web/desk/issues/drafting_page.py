"""Draft an issue by hand, from the newest articles of a newsletter."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.content.digests import drafting
from newsletter.content.issues.issues import MAX_ARTICLES
from newsletter.errors import Malformed, Refused
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
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
    return _page(desk, session, {"newsletter": wanted, "articles": str(USUAL_ARTICLES), "archive": ""})


@router.action("/issues/draft", Role.EDITOR, AccessScope.SOMEWHERE)
def draft(desk: CurrentDesk, form: PostedForm) -> Response:
    """Draft the issue and lead to it."""
    values = {name: forms.text(form, name) for name in ("newsletter", "articles", "archive")}
    try:
        with desk.site.database.writing() as session:
            newsletter = _newsletter(desk, session, values["newsletter"])
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
    found = session.scalar(select(Newsletter).where(Newsletter.slug == slug))
    if found is None or not desk.operator.may(Role.EDITOR, found.id):
        raise Malformed("newsletter", "Choose one of the newsletters.")
    return found


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
        raise Malformed("articles", f"Enter a number from 1 to {MAX_ARTICLES}.")
    return int(text)


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
    status: int = 200,
) -> HTMLResponse:
    mine = desk.operator.grants.among(Newsletter.id, Role.EDITOR)
    rows = session.execute(select(Newsletter.slug, Newsletter.name).where(mine).order_by(Newsletter.name))
    newsletters = [(row.slug, row.name) for row in rows]
    return desk.page("issues/draft", status=status, newsletters=newsletters, values=values, errors=errors or {})
