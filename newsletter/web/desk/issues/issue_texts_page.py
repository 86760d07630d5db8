"""The texts of an issue that an editor may give: subject, preview line, heading and introduction."""

from collections.abc import Mapping

from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from newsletter.content.issues import issue_texts, issues
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.errors import Malformed, Refused
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.web.desk.frame import forms
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.desk.frame.failures import status_of
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.desk.issues import standing
from newsletter.web.site import ReadingSession

router = DeskRouter()


@router.page("/issues/{issue_id}/text", Role.EDITOR)
def texts_form(issue_id: int, desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show the form."""
    issue = session.get_one(Issue, issue_id)
    return _page(desk, session, issue, _stored(issue))


@router.action("/issues/{issue_id}/text", Role.EDITOR)
def change(issue_id: int, desk: CurrentDesk, form: PostedForm) -> Response:
    """Change the texts; an approved issue is a draft again."""
    texts = {name: forms.text(form, name) for name in issue_texts.TEXTS if name in form}
    if errors := _errors(texts):
        return _again(desk, issue_id, texts, errors)
    try:
        with desk.site.database.writing() as session:
            issue = session.get_one(Issue, issue_id)
            was_approved = issue.status is IssueStatus.APPROVED
            issue_texts.change(session, issue, **texts, actor=desk.operator.actor, now=desk.site.now())
    except Refused as error:
        return _refused(desk, issue_id, texts, error)
    return desk.done(f"/issues/{issue_id}", "returned" if was_approved else "changed")


def _errors(texts: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong in the texts, by field; all of it, and not only the first."""
    checks = {
        "title": issue_texts.checked_title,
        "preheader": issue_texts.checked_preheader,
        "heading": issue_texts.checked_heading,
        "introduction": issue_texts.checked_introduction,
    }
    errors = {}
    for name, text in texts.items():
        try:
            checks[name](text)
        except Malformed as error:
            errors[name] = str(error)
    return errors


def _refused(desk: Desk, issue_id: int, texts: Mapping[str, str], error: Refused) -> Response:
    with desk.site.database.reading() as session:
        issue = session.get_one(Issue, issue_id)
        if issue.status in issue_texts.EDITABLE:  # so nothing would change
            return desk.done(f"/issues/{issue_id}", "same")
        return _page(desk, session, issue, texts, status=status_of(error))


def _again(desk: Desk, issue_id: int, texts: Mapping[str, str], errors: Mapping[str, str]) -> Response:
    with desk.site.database.reading() as session:
        return _page(desk, session, session.get_one(Issue, issue_id), texts, errors)


def _stored(issue: Issue) -> dict[str, str]:
    texts = {name: getattr(issue, name) or "" for name in issue_texts.TEXTS}
    return texts | ({"title": ""} if issue.has_generated_title else {})


def _page(
    desk: Desk,
    session: Session,
    issue: Issue,
    texts: Mapping[str, str],
    errors: Mapping[str, str] | None = None,
    *,
    status: int | None = None,
) -> HTMLResponse:
    newsletter, edition = session.get_one(Newsletter, issue.newsletter_id), issues.edition(session, issue)
    return desk.page(
        "issues/text",
        status=status,
        issue=issue,
        newsletter=newsletter,
        edition=edition,
        texts=_stored(issue) | dict(texts),
        errors=errors,
        is_editable=issue.status in issue_texts.EDITABLE,
        by_now=standing.BY_NOW[issue.status],
    )
