"""A folder of templates becomes a letter with every header it owes, each once."""

import re

import pytest
from jinja2 import DictLoader, Environment, StrictUndefined, TemplateNotFound, UndefinedError, select_autoescape

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


def a_newsletter(**given: str) -> Newsletter:
    facts = {
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
        **given,
    }
    return Newsletter(**facts, created_at=NOON)


def written(
    templates: Environment | None = None,
    *,
    newsletter: Newsletter | None = None,
    fields: tuple[str, ...] = (),
    **context: object,
) -> Sheet:
    context = {"thing": "bridges", **context}
    return compose(
        templates or environment(),
        "note",
        newsletter=newsletter or a_newsletter(),
        base_url=BASE,
        stream="issue7",
        fields=fields,
        **context,
    )


def headers(sheet: Sheet, **values: str) -> list[tuple[str, str]]:
    """Names and values as they stand on the wire, unfolded."""
    values = {name: value for name, value in (VALUES | values).items() if name in sheet.fields}
    raw = b"".join(sheet.fill(values)).partition(b"\r\n\r\n")[0].decode("ascii")
    lines = re.sub(r"\r\n(?=[ \t])", "", raw).split("\r\n")
    return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]


def test_a_letter_has_every_header_that_it_owes_and_each_once():
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


def test_what_identifies_the_mail_to_providers_tells_no_reader_from_another():
    one, other = (
        dict(headers(written(), to=f"{who}@example.org", unsubscribe=f"{BASE}/u/{who}")) for who in ("ana", "bob")
    )
    assert {name for name in one if one[name] != other[name]} == {"To", "List-Unsubscribe"}
    assert len(one["Feedback-ID"].split(":")) <= 4


@pytest.mark.parametrize("field", ["List-Help", "List-Archive", "List-Id", "List-Owner", "Feedback-ID"])
def test_no_header_that_programs_read_is_ever_encoded_or_cut(field):
    long = a_newsletter(slug="m" * 40, list_id=f"{'m' * 40}.press.example", reply_to=f"{'a' * 60}@{'p' * 60}.example")
    (value,) = [value for name, value in headers(written(newsletter=long)) if name == field]
    assert "=?" not in value
    assert " " not in value


@pytest.mark.parametrize(
    "thing",
    ["a\r\nBcc: bob@example.org", "=?utf-8?q?=0ABcc:_x=40y.z?=", "Äpfel\n\nund Birnen", "{{ 7*7 }}", "x" * 3000],
)
def test_whatever_a_subject_holds_it_is_one_header(thing):
    found = headers(written(thing=thing))
    assert [name for name, _ in found].count("Subject") == 1
    assert not {"bcc"} & {name.lower() for name, _ in found}


def test_the_plain_text_comes_first():
    raw = b"".join(written().fill(VALUES))
    kinds = re.findall(rb"^Content-Type: (text/\w+)", raw, re.MULTILINE)
    assert kinds == [b"text/plain", b"text/html"]


def test_what_is_a_field_is_each_readers_own_and_all_else_the_same_for_everybody():
    sheet = written()
    assert sheet.fields == {"to", "date", "message_id", "unsubscribe"}
    assert b"bridges" in sheet.body


def test_a_letter_names_its_reader_in_to_only_where_it_is_meant_to():
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
def test_a_name_that_is_missing_fails_instead_of_leaving_a_blank(broken, error):
    with pytest.raises(error):
        written(environment(**broken))


def test_a_letter_without_its_folder_fails():
    with pytest.raises(TemplateNotFound):
        compose(environment(), "nothing", newsletter=a_newsletter(), base_url=BASE, stream="x", fields=())


def test_a_field_that_stands_nowhere_in_the_letter_is_a_mistake():
    with pytest.raises(FieldError, match="preferences"):
        compose(
            environment(),
            "note",
            newsletter=a_newsletter(),
            base_url=BASE,
            stream="x",
            fields=("preferences",),
            thing="x",
        )
