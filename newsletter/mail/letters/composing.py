"""Render a folder of templates into a letter with all its headers, ready for the mail merge.

A folder holds subject.txt, body.txt and body.html. A template prints a marker for each field that differs between
readers; the mail merge fills it when the letter is sent. Fields that are words have the letter's language in their
names, so that a stored letter says by itself how to fill it.
"""

from collections.abc import Collection, Mapping
from typing import Any

from newsletter.languages.languages import Language
from newsletter.mail.letters import merge, mime, worded_fields
from newsletter.mail.letters.merge import Sheet, marker
from newsletter.newsletters import Newsletter
from newsletter.templating import Templates

COMMON_FIELDS = ("message_id", "date", "unsubscribe")  # in the headers of every letter


def compose(
    templates: Templates,
    kind: str,
    *,
    language: Language,
    newsletter: Newsletter,
    base_url: str,
    stream: str,
    fields: Collection[str],
    constants: Mapping[str, str] | None = None,
    **context: Any,
) -> Sheet:
    """Return the letter in this language, laid out once for all readers of the language.

    `fields` are merged for each reader, in addition to COMMON_FIELDS. A field in `constants` has the same value for
    every reader. With the field `mailbox`, To shows the reader's name and address; without it, the address alone.
    `stream` goes into Feedback-ID, which tells mailbox providers the kind of mail.

    Raises FieldError if a field is used but not named, or named but not used, and HeaderError if a header cannot be
    written.
    """
    to = "mailbox" if "mailbox" in fields else "to"
    needed = {to, *COMMON_FIELDS, *fields} - set(constants or {})
    names = {name: worded_fields.named(name, language.tag) for name in needed}
    field = {name: marker(named) for name, named in names.items()} | dict(constants or {})
    environment = templates(language.tag)

    def render(part: str) -> str:
        template = environment.get_template(f"letters/{kind}/{part}")
        return template.render(newsletter=newsletter, field=field, **context)

    headers = _headers(
        newsletter,
        base_url=base_url,
        stream=stream,
        to=field[to],
        subject=render("subject.txt"),
        unsubscribe=field["unsubscribe"],
    )
    return merge.lay_out(mime.letter(headers, text=render("body.txt"), html=render("body.html")), names.values())


def _headers(
    newsletter: Newsletter, *, base_url: str, stream: str, to: str, subject: str, unsubscribe: str
) -> dict[str, str]:
    """Return the headers of RFC 5322, 2369, 2919, 3834 and 8058. List-* are never encoded: Gmail would miss them."""
    return {
        "From": mime.mailbox(newsletter.sender_name or newsletter.publisher, newsletter.sender),
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
