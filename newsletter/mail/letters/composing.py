"""Composing: a folder of templates and what it is about become a letter with every header it owes.

A folder holds subject.txt, body.txt and body.html. What differs between readers is printed as a marker, and filled in
by mail merge when the letter is carried.
"""

from collections.abc import Collection, Mapping
from typing import Any

from jinja2 import Environment

from newsletter.mail.letters import merge, mime
from newsletter.mail.letters.merge import Sheet, marker
from newsletter.newsletters import Newsletter

HEADER = ("message_id", "date", "unsubscribe")  # every letter's has these fields


def compose(
    templates: Environment,
    kind: str,
    *,
    newsletter: Newsletter,
    base_url: str,
    stream: str,
    fields: Collection[str],
    said: Mapping[str, str] | None = None,
    **context: Any,
) -> Sheet:
    """The letter, laid out once. `stream` tells mailbox providers which of our mail this is (Feedback-ID).

    `fields` are merged for each reader, beside those that every letter has; those in `said` are the same for all of
    them. With the field `mailbox`, To shows the reader's name; without it the address alone.
    """
    to = "mailbox" if "mailbox" in fields else "to"
    names = {to, *HEADER, *fields} - set(said or {})
    field = {name: marker(name) for name in names} | dict(said or {})

    def render(part: str) -> str:
        template = templates.get_template(f"letters/{kind}/{part}")
        return template.render(newsletter=newsletter, field=field, **context)

    headers = _headers(
        newsletter,
        base_url=base_url,
        stream=stream,
        to=field[to],
        subject=render("subject.txt"),
        unsubscribe=field["unsubscribe"],
    )
    return merge.lay_out(mime.letter(headers, text=render("body.txt"), html=render("body.html")), names)


def _headers(
    newsletter: Newsletter, *, base_url: str, stream: str, to: str, subject: str, unsubscribe: str
) -> dict[str, str]:
    """RFC 5322, 2369, 2919, 3834 and 8058; List-* stand as they are, or Gmail does not see them."""
    return {
        "From": mime.mailbox(newsletter.publisher, newsletter.sender),
        "Reply-To": newsletter.reply_to,
        "To": to,
        "Subject": subject,
        "Date": marker("date"),
        "Message-ID": marker("message_id"),
        "List-Id": f"<{newsletter.list_id}>",
        "List-Unsubscribe": f"<{unsubscribe}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Help": f"<{base_url}/n/{newsletter.slug}>",
        "List-Archive": f"<{base_url}/archive/{newsletter.slug}>",
        "List-Owner": f"<mailto:{newsletter.reply_to}>",
        "List-Post": "NO",
        "Auto-Submitted": "auto-generated",
        "Feedback-ID": f"{stream}:{newsletter.slug}:{newsletter.sender.rpartition('@')[2]}",
    }
