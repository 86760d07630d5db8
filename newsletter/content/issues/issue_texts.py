"""The texts that an editor gives an issue: its subject, its preheader, its heading and its introduction."""

import re
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.content.articles.articles import Article
from newsletter.content.issues import approvals, headings, transitions
from newsletter.content.issues.issues import Issue, IssueArticle, IssueStatus
from newsletter.content.parsing.texts.sanitizing import one_line
from newsletter.errors import Malformed, Refused
from newsletter.languages.languages import language
from newsletter.newsletters import Newsletter

MAX_TITLE = 200  # characters
MAX_HEADING = 120
MAX_PREHEADER = 200
MAX_INTRODUCTION = 1200
MAX_PARAGRAPHS = 2
EDITABLE = (IssueStatus.DRAFTED, IssueStatus.APPROVED)
TEXTS = ("title", "preheader", "heading", "introduction")  # the columns
CHANGED = "Its texts were changed."  # why an approved issue is a draft again
BETWEEN_PARAGRAPHS = re.compile(r"\n\s*\n")
MARKUP = re.compile(r"</[a-z]|<(?:p|br|a|b|i|em|strong|div|span|h\d)\b[^<>]*>", re.IGNORECASE)


def checked_title(text: str) -> str:
    """Return a subject on one line. Raises Malformed if it is too long."""
    title = one_line(text)
    if len(title) > MAX_TITLE:
        raise Malformed("title", f"Enter a title of at most {MAX_TITLE} characters; mail programs show about 60.")
    return title


def checked_heading(text: str) -> str | None:
    """Return a heading on one line, None if it is empty. Raises Malformed if it is too long or is HTML."""
    heading = one_line(text)
    if len(heading) > MAX_HEADING:
        raise Malformed("heading", f"Enter a heading of at most {MAX_HEADING} characters.")
    _refuse_markup("heading", heading)
    return heading or None


def checked_preheader(text: str) -> str | None:
    """Return a preheader on one line, None if it is empty. Raises Malformed if it is too long or is HTML."""
    preheader = one_line(text)
    if len(preheader) > MAX_PREHEADER:
        raise Malformed(
            "preheader", f"Enter a preview line of at most {MAX_PREHEADER} characters; inboxes show about 90."
        )
    _refuse_markup("preheader", preheader)
    return preheader or None


def checked_introduction(text: str) -> str | None:
    """Return an introduction with an empty line between its paragraphs, None if it is empty.

    Raises Malformed if it has more than two paragraphs, is too long or is HTML.
    """
    parts = [one_line(part) for part in BETWEEN_PARAGRAPHS.split(text.replace("\r\n", "\n").replace("\r", "\n"))]
    paragraphs = [part for part in parts if part]
    introduction = "\n\n".join(paragraphs)
    if len(paragraphs) > MAX_PARAGRAPHS or len(introduction) > MAX_INTRODUCTION:
        raise Malformed(
            "introduction",
            f"Write one or two paragraphs of together at most {MAX_INTRODUCTION:,} characters, with an empty line "
            f"between them; these are {len(paragraphs)} with {len(introduction):,}.",
        )
    _refuse_markup("introduction", introduction)
    return introduction or None


def change(
    session: Session,
    issue: Issue,
    *,
    title: str | None = None,
    preheader: str | None = None,
    heading: str | None = None,
    introduction: str | None = None,
    actor: str,
    now: datetime,
) -> None:
    """Change what is given of an issue's texts. An empty text leaves it to the default again.

    An approved issue returns to draft, for nobody has approved the new text. Raises Malformed, naming the field, and
    Refused if sending has begun or nothing would change.
    """
    newsletters.lock(session, issue.newsletter_id)  # or it could be approved meanwhile
    session.refresh(issue)
    if issue.status not in EDITABLE:
        raise Refused(f"Issue {issue.id} is {issue.status}; only a draft or an approved issue can be changed.")
    wanted: dict[str, str | bool | None] = {}
    if title is not None:
        own = checked_title(title)
        wanted |= {"title": own or _generated_title(session, issue), "has_generated_title": not own}
    if preheader is not None:
        wanted["preheader"] = checked_preheader(preheader)
    if heading is not None:
        wanted["heading"] = checked_heading(heading)
    if introduction is not None:
        wanted["introduction"] = checked_introduction(introduction)
    changed = [name for name, value in wanted.items() if value != getattr(issue, name) and name in TEXTS]
    if not changed:
        raise Refused(f"Issue {issue.id} is like that already.")
    if issue.status is IssueStatus.APPROVED:
        approvals.return_to_draft(session, issue, reason=CHANGED, actor=actor, now=now)
    for name, value in wanted.items():
        setattr(issue, name, value)
    transitions.log_change(session, issue, "texts changed", actor=actor, now=now, fields=changed)


def follow_headlines(session: Session, issue: Issue) -> None:
    """Make the subject of an issue from the headlines of its articles again, unless an editor gave it one."""
    if issue.has_generated_title:
        issue.title = _generated_title(session, issue)
        session.flush()


def _generated_title(session: Session, issue: Issue) -> str:
    titles = select(Article.title).join(IssueArticle, IssueArticle.article_id == Article.id)
    titles = titles.where(IssueArticle.issue_id == issue.id).order_by(IssueArticle.position)
    newsletter = session.get_one(Newsletter, issue.newsletter_id)
    return headings.headline(session.scalars(titles).all(), language(newsletter.language))


def _refuse_markup(field: str, text: str) -> None:
    if MARKUP.search(text):
        raise Malformed(field, f"Write the {field} as plain text, without HTML.")
