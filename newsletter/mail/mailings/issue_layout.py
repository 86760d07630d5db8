"""Lay an issue out as a letter in each language, as it is previewed, checked and sent."""

from dataclasses import replace
from datetime import datetime
from email import message_from_bytes, policy
from email.message import MIMEPart
from email.utils import format_datetime
from typing import Any, NamedTuple

from jinja2 import TemplateError
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import templating
from newsletter.consent.subscribers.subscribers import Standing, Subscription
from newsletter.content import logos
from newsletter.content.issues import headings, issues
from newsletter.content.issues.editions import Edition, Image
from newsletter.content.issues.issues import MAX_ARTICLES, Issue
from newsletter.errors import Refused
from newsletter.languages.languages import Language, language
from newsletter.mail.delivery import words
from newsletter.mail.letters import worded_fields
from newsletter.mail.letters.composing import compose
from newsletter.mail.letters.merge import Sheet
from newsletter.newsletters import Newsletter
from newsletter.templating import Templates

MAX_HTML_BYTES = 90_000
IN_FULL = (MAX_ARTICLES, 48, 24, 12, 6, 1)  # articles with excerpt and picture, fewer where the letter is too long
MAX_LOGO_WIDTH, MAX_LOGO_HEIGHT = 200, 80  # pixels, as shown


def _lay_out(
    session: Session, issue: Issue, spoken: Language, *, in_full: int, templates: Templates, base_url: str
) -> Sheet:
    newsletter = session.get_one(Newsletter, issue.newsletter_id)
    edition = issues.edition(session, issue, base_url=base_url)
    query = archive_query(newsletter, spoken)
    archive_url = f"{base_url}/archive/{newsletter.slug}"
    return compose(
        templates,
        "digest",
        language=spoken,
        newsletter=newsletter,
        base_url=base_url,
        stream=f"issue{issue.id}",
        fields=("mailbox", "preferences", "greeting"),
        issue={**shown_issue(issue, edition, spoken, newsletter), "in_full": in_full},
        logo=shown_logo(session, newsletter, base_url),
        archive_url=f"{archive_url}/{edition.number}{query}",
        archive_index_url=f"{archive_url}{query}",
    )


def shown_issue(issue: Issue, edition: Edition, spoken: Language, newsletter: Newsletter) -> dict[str, Any]:
    """Return what a letter in this language shows of an issue."""
    return {
        "number": edition.number,
        "title": _subject(issue, edition, spoken),
        "heading": edition.heading,
        "introduction": edition.introduction,
        "preheader": edition.preheader,
        "date": spoken.day(templating.local(issue.planned_at, newsletter.zone)),
        "articles": edition.articles,
    }


def archive_query(newsletter: Newsletter, spoken: Language) -> str:
    """Return what links to the archive end with, so that its pages are in the letter's language."""
    return f"?language={spoken.tag}" if newsletter.other_languages else ""


def _subject(issue: Issue, edition: Edition, spoken: Language) -> str:
    """Return the subject: an editor's own, or one made from the headlines in the letter's language.

    It is made again in the newsletter's language as well, which may have changed since the draft.
    """
    if issue.has_generated_title:
        return headings.headline([article.title for article in edition.articles], spoken)
    return edition.title


def shown_logo(session: Session, newsletter: Newsletter, base_url: str) -> Image | None:
    """Return the newsletter's logo as large as it is shown: at half the size of its file, for sharp screens."""
    logo = logos.shown(session, newsletter, base_url=base_url)
    if logo is None:
        return None
    scale = min(1 / 2, MAX_LOGO_WIDTH / logo.width, MAX_LOGO_HEIGHT / logo.height)
    return replace(logo, width=max(1, round(logo.width * scale)), height=max(1, round(logo.height * scale)))


def preview(
    session: Session, issue: Issue, *, templates: Templates, base_url: str, tag: str | None = None
) -> dict[str, str]:
    """Return the letter as `text`, `html` and `source`, with example values in the fields.

    `tag` is a reader's language; without it, the letter is in the newsletter's. A language without a catalogue is
    English, as for its readers.
    """
    spoken = language(tag or session.get_one(Newsletter, issue.newsletter_id).language)
    shown = _fitted(session, issue, spoken, templates=templates, base_url=base_url)
    texts = {"text": shown.text.get_content(), "html": shown.html.get_content()}
    return texts | {"source": shown.source.decode("ascii")}


def check(session: Session, issue: Issue, *, templates: Templates, base_url: str) -> dict[str, "Example"]:
    """Return the letter of an issue in each language that the newsletter offers or readers have, its own first.

    Raises Refused, with what to correct, if one is broken or too long for Gmail.
    """
    newsletter = session.get_one(Newsletter, issue.newsletter_id)
    offered = [*newsletter.languages, *chosen_languages(session, newsletter.id)]
    spoken = {each.tag: each for each in map(language, offered)}
    return {tag: _checked(session, issue, each, templates, base_url) for tag, each in spoken.items()}


def sheet(session: Session, issue: Issue, spoken: Language, *, templates: Templates, base_url: str) -> Sheet:
    """Return the letter of an issue in one language. Raises Refused as `check` does."""
    return _checked(session, issue, spoken, templates, base_url).sheet


def chosen_languages(session: Session, newsletter_id: int) -> list[str]:
    """Return the languages that readers have chosen themselves, as they are stored."""
    chosen = select(Subscription.language).where(
        Subscription.newsletter_id == newsletter_id,
        Subscription.standing == Standing.SUBSCRIBED,
        Subscription.language.is_not(None),
    )
    return sorted(tag for tag in session.scalars(chosen.distinct()) if tag)


def example(session: Session, issue: Issue, tag: str, *, templates: Templates, base_url: str) -> "Example":
    """Return the letter in the language of a tag. Raises Refused if it cannot be laid out."""
    try:
        return _fitted(session, issue, language(tag), templates=templates, base_url=base_url)
    except TemplateError as error:
        raise Refused(f"The letter cannot be laid out: {error}") from error


def length_problem(shown: "Example", tag: str) -> str | None:
    """Return what to correct if the letter is too long for Gmail; None if it is not."""
    if shown.html_bytes <= MAX_HTML_BYTES:
        return None
    return (
        f"The HTML of the letter ({tag}) has {shown.html_bytes:,} bytes; the limit is {MAX_HTML_BYTES:,}. "
        "Gmail hides everything after about 102,000 bytes, including the unsubscribe link. Draft the issue with "
        "fewer articles."
    )


def _checked(session: Session, issue: Issue, spoken: Language, templates: Templates, base_url: str) -> "Example":
    shown = example(session, issue, spoken.tag, templates=templates, base_url=base_url)
    if problem := length_problem(shown, spoken.tag):
        raise Refused(problem)
    return shown


class Example(NamedTuple):
    """A letter with example values in its fields."""

    sheet: Sheet
    source: bytes
    html: MIMEPart
    text: MIMEPart
    headlines: int  # of articles without excerpt and picture in the HTML
    subject: str = ""

    @property
    def html_bytes(self) -> int:
        """The larger of its HTML decoded and encoded: sources differ on which of them Gmail counts."""
        return max(len(self.html.get_content().encode()), len(self.html.as_bytes()))


def _fitted(session: Session, issue: Issue, spoken: Language, *, templates: Templates, base_url: str) -> Example:
    """Return the letter with as many articles in full as Gmail shows; of the others it has the headlines.

    If it does not fit even then, the shortest one is returned.
    """
    count = len(issues.edition(session, issue, base_url=base_url).articles)
    for in_full in IN_FULL:
        sheet = _lay_out(session, issue, spoken, in_full=in_full, templates=templates, base_url=base_url)
        shown = example_of(sheet, spoken, base_url, date=issue.planned_at, headlines=max(0, count - in_full))
        if shown.html_bytes <= MAX_HTML_BYTES:
            break
    return shown


def example_of(sheet: Sheet, spoken: Language, base_url: str, *, date: datetime, headlines: int) -> Example:
    """Return a letter to a reader with example values in its fields."""
    values = {
        "unsubscribe": f"{base_url}/u/preview",
        "preferences": f"{base_url}/preferences/preview",
        "mailbox": "reader@example.org",
        "date": format_datetime(date.replace(microsecond=0)),
        "message_id": "<preview@example.org>",
        worded_fields.named("greeting", spoken.tag): words.nameless_greeting(spoken),
    }
    source = b"".join(sheet.fill(values))
    message = message_from_bytes(source, policy=policy.default)
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    assert html
    assert text
    return Example(sheet, source, html, text, headlines, str(message["Subject"]))
