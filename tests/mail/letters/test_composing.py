"""Composing renders a folder of templates into a letter with all its headers."""

import re

import pytest
from jinja2 import DictLoader, Environment, StrictUndefined, TemplateNotFound, UndefinedError, select_autoescape

from newsletter.languages.languages import ENGLISH
from newsletter.mail.letters.composing import compose
from newsletter.mail.letters.merge import FieldError, Sheet
from newsletter.newsletters import Newsletter
from tests.clock import NOON

FOLDER = {
    "letters/note/subject.txt": "A note about {{ thing }}",
    "letters/note/body.txt": "{{ thing }}. Leave: {{ field.unsubscribe }}\n",
    "letters/note/body.html": "<p>{{ thing }}. <a href='{{ field.unsubscribe }}'>Leave</a></p>\n",
}
BASE = "https://letters.example.org"
VALUES = {
    "to": "ana@example.org",
    "date": "Sat, 14 Mar 2026 12:00:00 +0000",
    "message_id": "<1.x@press.example>",
    "unsubscribe": f"{BASE}/u/k1.abc",
}


def environment(**changed: str) -> Environment:
    folder = FOLDER | {f"letters/note/{name.replace('_', '.')}": text for name, text in changed.items()}
    return Environment(
        loader=DictLoader(folder), undefined=StrictUndefined, autoescape=select_autoescape(("html",), ("txt",))
    )


def a_newsletter(**changed: str) -> Newsletter:
    values = {
        "slug": "morning",
        "name": "The Morning Letter",
        "publisher": "Example Press",
        "sender": "letters@press.example",
        "reply_to": "answers@press.example",
        "postal_address": "1 Street, 00000 Town",
        "language": "en",
        "zone": "UTC",
        "list_id": "morning.press.example",
        "brand": "#0f5c6e",
        **changed,
    }
    return Newsletter(**values, created_at=NOON)


def written(
    templates: Environment | None = None,
    *,
    newsletter: Newsletter | None = None,
    fields: tuple[str, ...] = (),
    **context: object,
) -> Sheet:
    context = {"thing": "bridges", **context}
    return compose(
        lambda _: templates or environment(),
        "note",
        language=ENGLISH,
        newsletter=newsletter or a_newsletter(),
        base_url=BASE,
        stream="issue7",
        fields=fields,
        **context,
    )


def headers(sheet: Sheet, **values: str) -> list[tuple[str, str]]:
    """Return the names and unfolded values of the headers, as sent."""
    values = {name: value for name, value in (VALUES | values).items() if name in sheet.fields}
    raw = b"".join(sheet.fill(values)).partition(b"\r\n\r\n")[0].decode("ascii")
    lines = re.sub(r"\r\n(?=[ \t])", "", raw).split("\r\n")
    return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]


def test_a_letter_has_every_required_header_once():
    found = headers(written())
    assert len({name.lower() for name, _ in found}) == len(found)
    expected = {
        "From": '"Example Press" <letters@press.example>',
        "Reply-To": "answers@press.example",
        "To": "ana@example.org",
        "Subject": "A note about bridges",
        "Date": "Sat, 14 Mar 2026 12:00:00 +0000",
        "Message-ID": "<1.x@press.example>",
        "List-Id": "<morning.press.example>",
        "List-Unsubscribe": f"<{BASE}/u/k1.abc>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Help": f"<{BASE}/n/morning>",
        "List-Archive": f"<{BASE}/archive/morning>",
        "List-Owner": "<mailto:answers@press.example>",
        "List-Post": "NO",
        "Auto-Submitted": "auto-generated",
        "Feedback-ID": "issue7:morning:press.example",
        "MIME-Version": "1.0",
    }
    assert {name: value for name, value in found if name != "Content-Type"} == expected


def test_the_headers_that_identify_the_mail_are_the_same_for_every_reader():
    one, other = (
        dict(headers(written(), to=f"{reader}@example.org", unsubscribe=f"{BASE}/u/{reader}"))
        for reader in ("ana", "bob")
    )
    assert {name for name in one if one[name] != other[name]} == {"To", "List-Unsubscribe"}
    assert len(one["Feedback-ID"].split(":")) <= 4


@pytest.mark.parametrize("field", ["List-Help", "List-Archive", "List-Id", "List-Owner", "Feedback-ID"])
def test_headers_for_programs_are_never_encoded_or_folded(field):
    long = a_newsletter(slug="m" * 40, list_id=f"{'m' * 40}.press.example", reply_to=f"{'a' * 60}@{'p' * 60}.example")
    (value,) = [value for name, value in headers(written(newsletter=long)) if name == field]
    assert "=?" not in value
    assert " " not in value


@pytest.mark.parametrize(
    "thing",
    ["a\r\nBcc: bob@example.org", "=?utf-8?q?=0ABcc:_x=40y.z?=", "Äpfel\n\nund Birnen", "{{ 7*7 }}", "x" * 3000],
)
def test_a_subject_stays_one_header_whatever_it_holds(thing):
    found = headers(written(thing=thing))
    assert [name for name, _ in found].count("Subject") == 1
    assert not {"bcc"} & {name.lower() for name, _ in found}


def test_the_plain_text_comes_first():
    raw = b"".join(written().fill(VALUES))
    kinds = re.findall(rb"^Content-Type: (text/\w+)", raw, re.MULTILINE)
    assert kinds == [b"text/plain", b"text/html"]


def test_only_fields_differ_between_readers():
    sheet = written()
    assert sheet.fields == {"to", "date", "message_id", "unsubscribe"}
    assert b"bridges" in sheet.body


def test_to_shows_the_name_of_the_reader_only_with_the_field_mailbox():
    sheet = written(fields=("mailbox",))
    assert sheet.fields == {"mailbox", "date", "message_id", "unsubscribe"}
    assert ("To", '"Ana" <ana@example.org>') in headers(sheet, mailbox='"Ana" <ana@example.org>')


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ({"body_txt": "{{ field.unsubscribe }} {{ nobody }}"}, UndefinedError),
        ({"body_html": "{{ field.unsubscribed }}"}, UndefinedError),
        ({"subject_txt": "{{ newsletter.title }}"}, UndefinedError),
    ],
)
def test_a_name_missing_from_the_context_fails_instead_of_leaving_a_blank(broken, error):
    with pytest.raises(error):
        written(environment(**broken))


def test_a_letter_without_a_folder_of_templates_fails():
    with pytest.raises(TemplateNotFound):
        compose(
            lambda _: environment(),
            "nothing",
            language=ENGLISH,
            newsletter=a_newsletter(),
            base_url=BASE,
            stream="x",
            fields=(),
        )


def test_a_field_that_no_template_uses_is_refused():
    with pytest.raises(FieldError, match="preferences"):
        compose(
            lambda _: environment(),
            "note",
            language=ENGLISH,
            newsletter=a_newsletter(),
            base_url=BASE,
            stream="x",
            fields=("preferences",),
            thing="x",
        )
