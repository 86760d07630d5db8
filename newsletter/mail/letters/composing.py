"""Render a folder of templates into a letter with all its headers, ready for the mail merge.

A folder holds subject.txt, body.txt and body.html. A template prints a marker for each field that differs between
readers; the mail merge fills it when the letter is sent. Fields that are words have the letter's language in their
names, so that a stored letter says by itself how to fill it.
"""

from collections.abc import Collection, Mapping
from typing import Any

from newsletter.languages.languages import ENGLISH, Language
from newsletter.mail.letters import merge, mime, worded_fields
from newsletter.mail.letters.letterheads import ServiceLetterhead
from newsletter.mail.letters.merge import Sheet, marker
from newsletter.newsletters import Newsletter
from newsletter.templating import Templates

SERVICE_FIELDS = ("message_id", "date")  # in the headers of every letter
COMMON_FIELDS = (*SERVICE_FIELDS, "unsubscribe")  # in those of every letter of a newsletter


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
    has_unsubscribe: bool = True,
    **context: Any,
) -> Sheet:
    """Return the letter in this language, laid out once for all readers of the language.

    `fields` are merged for each reader, in addition to COMMON_FIELDS. A field in `constants` has the same value for
    every reader. With the field `mailbox`, To shows the reader's name and address; without it, the address alone.
    `stream` goes into Feedback-ID, which tells mailbox providers the kind of mail. Without `has_unsubscribe` there is
    nothing to unsubscribe from: the inbox may belong to somebody who gets no newsletter, and must not end another's.

    Raises FieldError if a field is used but not named, or named but not used, and HeaderError if a header cannot be
    written.
    """
    common = COMMON_FIELDS if has_unsubscribe else SERVICE_FIELDS
    letter = _Letter(templates, kind, language, {*common, *fields}, constants or {})
    subject = letter.render("subject.txt", newsletter=newsletter, **context)
    headers = {
        **_headers(newsletter.sender_name or newsletter.publisher, newsletter.sender, newsletter.reply_to),
        **letter.own_headers(subject),
        **_list_headers(newsletter, base_url=base_url, unsubscribe=letter.field.get("unsubscribe")),
        **_machine_headers(stream, newsletter.slug, newsletter.sender),
    }
    return letter.lay_out(headers, newsletter=newsletter, **context)


def compose_for_operator(
    templates: Templates,
    kind: str,
    *,
    letterhead: ServiceLetterhead,
    fields: Collection[str] = (),
    **context: Any,
) -> Sheet:
    """Return a letter of the service itself, from the templates in letters/operators/.

    It goes to one operator, in English, and there is nothing to unsubscribe from: it has no List-* headers. Raises as
    `compose` does.
    """
    letter = _Letter(templates, f"operators/{kind}", ENGLISH, {*SERVICE_FIELDS, *fields}, {})
    headers = {
        **_headers(letterhead.publisher, letterhead.sender, letterhead.sender),
        **letter.own_headers(letter.render("subject.txt", letterhead=letterhead, **context)),
        **_machine_headers(kind, "desk", letterhead.sender),
    }
    return letter.lay_out(headers, letterhead=letterhead, **context)


class _Letter:
    """One letter while it is composed: its templates, and the fields that they may print."""

    def __init__(
        self, templates: Templates, kind: str, language: Language, fields: set[str], constants: Mapping[str, str]
    ) -> None:
        self._environment, self._kind = templates(language.tag), kind
        self._to = "mailbox" if "mailbox" in fields else "to"
        self._names = {name: worded_fields.named(name, language.tag) for name in {self._to, *fields} - set(constants)}
        self.field = {name: marker(named) for name, named in self._names.items()} | dict(constants)

    def render(self, part: str, **context: Any) -> str:
        return self._environment.get_template(f"letters/{self._kind}/{part}").render(field=self.field, **context)

    def own_headers(self, subject: str) -> dict[str, str]:
        """Return the headers that differ between letters (RFC 5322)."""
        markers = {"Date": marker("date"), "Message-ID": marker("message_id")}
        return {"To": self.field[self._to], "Subject": subject, **markers}

    def lay_out(self, headers: Mapping[str, str], **context: Any) -> Sheet:
        text, html = self.render("body.txt", **context), self.render("body.html", **context)
        return merge.lay_out(mime.letter(headers, text=text, html=html), self._names.values())


def _headers(name: str, sender: str, reply_to: str) -> dict[str, str]:
    return {"From": mime.mailbox(name, sender), "Reply-To": reply_to}


def _list_headers(newsletter: Newsletter, *, base_url: str, unsubscribe: str | None) -> dict[str, str]:
    """Return the headers of RFC 2369, 2919 and 8058. They are never encoded: Gmail would miss them."""
    one_click = {"List-Unsubscribe": f"<{unsubscribe}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return {
        "List-Id": f"<{newsletter.list_id}>",
        **(one_click if unsubscribe else {}),
        "List-Help": f"<{base_url}/n/{newsletter.slug}>",
        "List-Archive": f"<{base_url}/archive/{newsletter.slug}>",
        "List-Owner": f"<mailto:{newsletter.reply_to}>",
        "List-Post": "NO",
    }


def _machine_headers(stream: str, name: str, sender: str) -> dict[str, str]:
    """Return the headers that tell machines who wrote: no person (RFC 3834), and which kind of mail."""
    return {"Auto-Submitted": "auto-generated", "Feedback-ID": f"{stream}:{name}:{sender.rpartition('@')[2]}"}
