"""The letter of an issue in a sandboxed frame: light, dark, without pictures, or its text part."""

import re
from collections.abc import Callable, Mapping

from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from newsletter.content.issues import editions, issues
from newsletter.content.issues.issues import Issue
from newsletter.errors import NotFound
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.web.desk import previews
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk
from newsletter.web.desk.issues import laid_out
from newsletter.web.desk.issues.laid_out import ShownLetter
from newsletter.web.site import ReadingSession

DARK_ONLY = "@media (prefers-color-scheme: dark)"  # as letters/_parts.html writes it
BOTH_SCHEMES = re.compile(r'(color-scheme(?:: |" content="))light dark')
SOURCE = re.compile(r'(<img\b[^>]*?) src="[^"]*"')
PLAIN = Markup(
    '<!doctype html>\n<html lang="{}"><head><meta charset="utf-8"><title>{}</title>'
    "<style>body {{ margin: 1rem; white-space: pre-wrap; overflow-wrap: anywhere; font: 14px/1.5 monospace }}</style>"
    "</head><body>{}</body></html>"
)

router = DeskRouter()


def light(letter: ShownLetter) -> str:
    """Return the HTML as a mail program shows it that has no dark mode, whatever the operator's own screen has."""
    return _in_scheme(letter.html, "light", "@media not all")


def dark(letter: ShownLetter) -> str:
    """Return the HTML as a mail program shows it that follows the letter's own rules for the dark."""
    return _in_scheme(letter.html, "dark", "@media all")


def without_pictures(letter: ShownLetter) -> str:
    """Return the HTML as a mail program shows it that loads no pictures: with their descriptions."""
    return SOURCE.sub(r"\1", light(letter))


def plain(letter: ShownLetter) -> str:
    """Return the text part, as a document."""
    return str(PLAIN.format(letter.tag, letter.subject, letter.text))


PARTS: Mapping[str, Callable[[ShownLetter], str]] = {
    "light": light,
    "dark": dark,
    "without-pictures": without_pictures,
    "text": plain,
}


@router.page("/issues/{issue_id}/preview/{part}", Role.VIEWER)
def preview(issue_id: int, part: str, request: Request, desk: CurrentDesk, session: ReadingSession) -> HTMLResponse:
    """Show a part of the letter, with `language` in that of its languages."""
    issue = session.get_one(Issue, issue_id)
    newsletter, edition = session.get_one(Newsletter, issue.newsletter_id), issues.edition(session, issue)
    sha = editions.content_hash(edition, newsletter)
    letters = laid_out.of(session, desk.site, issue, newsletter=newsletter, edition=edition, sha=sha).letters
    wanted = request.query_params.get("language") or next(iter(letters), "")
    if part not in PARTS or wanted not in letters:
        raise NotFound
    return previews.shown(desk.site, PARTS[part](letters[wanted]))


def _in_scheme(html: str, scheme: str, media: str) -> str:
    return BOTH_SCHEMES.sub(rf"\g<1>{scheme}", html).replace(DARK_ONLY, media)
