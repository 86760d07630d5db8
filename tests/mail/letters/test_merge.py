"""The mail merge fills fields without changing anything around them."""

import json
import re
from email.message import EmailMessage
from html import escape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.mail.letters import merge, mime
from newsletter.mail.letters.fields import as_bytes, beside_to
from newsletter.mail.letters.merge import FieldError, Sheet, lay_out, marker
from tests.letters import assert_well_formed, parsed, read, unified

VALUES = {
    "to": "reader@example.org",
    "id": "12.7f3a",
    "date": "Sat, 14 Mar 2026 12:00:00 +0000",
    "leave": "https://news.example/u/" + "k1" * 40,
    "name": "Zoë",
}


def a_letter(text: str, html: str, mark=marker, subject: str | None = None) -> EmailMessage:
    headers = {
        "From": mime.mailbox("Café «Nord», Redaktion", "editor@news.example"),
        "To": mark("to"),
        "Subject": f"Für {mark('name')}: das Neueste" if subject is None else subject,
        "Date": mark("date"),
        "Message-ID": f"<{mark('id')}@news.example>",
        "List-Unsubscribe": f"<{mark('leave')}>, <mailto:leave@news.example?subject={mark('id')}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    return mime.letter(headers, text=text, html=html)


def a_sheet(text: str = "Hello\n", html: str = "<p>Hello\n", subject: str | None = None) -> Sheet:
    return lay_out(a_letter(text, html, subject=subject), VALUES)


def merged(sheet: Sheet, **values: str) -> bytes:
    return b"".join(sheet.fill({**VALUES, **values}))


def readable(text: str) -> str:
    """Return the text without the characters that a header refuses."""
    return mime.CONTROLS.sub("", text)


FIELDS = ("name", "leave")
odd = [
    "",
    ".",
    "From ",
    "From me ",
    "=",
    "=3D",
    " ",
    "x ",
    "\t",
    "é" * 200,
    'Smith, "Jo"',
    "O'Hara & <b>",
    "😀" * 50,
    "مرحبا",
]
odd += ["--=_boundary", "x" * 300, "." * 80, "日本語" * 60, "\n", "a\n.\nFrom b\n"]
plain = st.from_regex(r"[A-Za-z0-9/.F ][A-Za-z0-9 /:.,+@_~-]{0,75}", fullmatch=True)
words = plain | st.text(max_size=200) | st.sampled_from(odd) | st.text(st.sampled_from("a.=F rom\té😀\n"), max_size=100)
pieces = st.lists(words.map(unified) | st.sampled_from(FIELDS).map(lambda name: (name,)), max_size=8)
LETTERS = "abcxyzABC0189"
addresses = st.builds(
    "{}@{}.example".format,
    st.text(LETTERS + "+-_=", min_size=1, max_size=64),
    st.text(LETTERS, min_size=1, max_size=50),
)
tokens = st.text(LETTERS + "-_", min_size=1, max_size=200)
links = st.builds("https://news.example/{}".format, st.text(LETTERS + "-_~%&=/.:+", max_size=350))


def printed(template: list[str | tuple[str]], field) -> str:
    return "".join(piece if isinstance(piece, str) else field(piece[0]) for piece in template) + "\n"


@given(pieces, pieces, words.map(unified), words.map(unified))
@example([("name",)], [("name",), ("name",)], "", "")
@example(["a ", ("name",), " b", ("name",), "\n"], ["<p>", ("leave",)], ".", "From ")
def test_a_merged_letter_reads_as_if_it_had_been_written_for_its_reader(text, html, name, leave):
    values = {"name": name, "leave": leave}
    headers = {"From": "editor@news.example", "Subject": "Hello"}
    template = mime.letter(headers, text=printed(text, marker), html=printed(html, marker))
    plain = mime.letter(headers, text=printed(text, values.get), html=printed(html, lambda name: escape(values[name])))
    fields = {piece[0] for piece in [*text, *html] if not isinstance(piece, str)}
    source = b"".join(lay_out(template, fields).fill({field: values[field] for field in fields}))
    assert read(source) == read(plain.as_bytes())
    assert_well_formed(source)


@given(addresses, tokens, links, words.map(readable).map(mime.on_one_line))
def test_merged_headers_read_as_if_they_had_been_written_for_the_reader(to, token, leave, name):
    values = {**VALUES, "to": to, "id": token, "leave": leave, "name": name}
    source = b"".join(a_sheet().fill(values))
    plain = a_letter("Hello\n", "<p>Hello\n", mark=values.get)
    assert read(source) == read(plain.as_bytes())
    assert_well_formed(source)


def test_a_repeat_is_the_same_bytes():
    text = f"Hello {marker('name')}"
    assert merged(a_sheet(text)) == merged(a_sheet(text))
    assert a_sheet(text).sha256 == a_sheet(text).sha256


def test_different_content_has_a_different_boundary():
    assert parsed(merged(a_sheet("One\n"))).get_boundary() != parsed(merged(a_sheet("Two\n"))).get_boundary()


def test_a_stored_sheet_makes_the_same_letters():
    sheet = a_sheet(f"Hello {marker('name')}", f"<a href='{marker('leave')}'>leave</a>")
    loaded = Sheet(body=sheet.body, cuts=json.loads(json.dumps(sheet.cuts)))
    assert merged(loaded) == merged(sheet)
    assert loaded.sha256 == sheet.sha256


def test_readers_share_all_bytes_except_their_fields():
    sheet = a_sheet(f"Hello {marker('name')}, news")
    one, other = sheet.fill(VALUES), sheet.fill({**VALUES, "name": "Yao"})
    assert all(first is second for first, second in zip(one[::2], other[::2], strict=True))


def test_a_letter_holds_no_marker():
    assert merge.SECRET.encode() not in merged(a_sheet(f"{marker('name')}", f"{marker('leave')}"))


def test_a_marker_is_a_word_that_no_escaping_changes():
    assert re.fullmatch(r"\w+", marker("first_name"), re.ASCII)


def test_a_title_that_looks_like_a_marker_of_another_process_stays_text():
    title = marker("name").replace(merge.SECRET, "0123456789abcdef")
    source = merged(a_sheet(f"{title}\n", f"<p>{title}\n", subject=f"{title} {marker('name')}"))
    assert parsed(source)["Subject"] == f"{title} Zoë"
    assert title in parsed(source).get_body(("plain",)).get_content()


def test_a_value_is_escaped_in_html_only():
    source = merged(a_sheet(f"{marker('name')}\n", f"<p>{marker('name')}\n"), name="<b>&\"'")
    text, html = parsed(source).iter_parts()
    assert text.get_content().strip() == "<b>&\"'"
    assert html.get_content().strip() == "<p>&lt;b&gt;&amp;&quot;&#x27;"


def test_a_value_that_is_a_marker_stays_text():
    source = merged(a_sheet(f"{marker('name')} {marker('leave')}\n"), name=marker("leave"))
    assert parsed(source).get_body(("plain",)).get_content().startswith(marker("leave"))


def test_a_link_in_a_header_is_never_folded_nor_encoded():
    link = "https://news.example/u/" + "a" * 300
    assert f"List-Unsubscribe: <{link}>,\r\n <mailto:".encode() in merged(a_sheet(), leave=link)


def test_a_long_address_goes_to_a_line_of_its_own():
    address = "a" * 64 + "@" + "b" * 40 + ".example"
    assert f"To:\r\n {address}\r\n".encode() in merged(a_sheet(), to=address)


def test_an_address_in_another_script_is_not_encoded():
    assert "To: 用户@example.org\r\n".encode() in merged(a_sheet(), to="用户@example.org")


@pytest.mark.parametrize("field", ["to", "id", "date", "leave", "name"])
@pytest.mark.parametrize(
    "value", ["a@b\r\nBcc: x@y.z", "a@b\n", "a@b\r", "a@b\0", "a@b\x7f", "a@b\x85", "a@b\u2028", "\ud800@b"]
)
def test_a_control_character_in_a_header_is_refused_without_repeating_the_value(field, value):
    with pytest.raises(FieldError, match=f"the field {field} ") as refusal:
        merged(a_sheet(), **{field: value})
    assert "a@b" not in str(refusal.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("to", ""),
        ("to", "reader"),
        ("to", "Reader <reader@example.org>"),
        ("to", "a@b.example, c@d.example"),
        ("to", "a@exämple.org"),
        ("to", "=?utf-8?q?a?=@b.example"),
        ("id", ""),
        ("id", "é"),
        ("leave", "x" * 401),
        ("leave", "=?utf-8?q?a?="),
    ],
)
def test_a_value_that_does_not_fit_its_header_is_refused(field, value):
    with pytest.raises(FieldError, match=f"the field {field} "):
        merged(a_sheet(), **{field: value})


def test_an_unpaired_surrogate_is_refused_in_a_part():
    with pytest.raises(FieldError, match="the field name "):
        merged(a_sheet(f"{marker('name')}\n", subject="Hello"), name="\ud800")


def test_a_missing_or_unknown_value_is_refused():
    without = {name: value for name, value in VALUES.items() if name != "leave"}
    with pytest.raises(FieldError, match="leave"):
        a_sheet().fill(without)
    with pytest.raises(FieldError, match="surname"):
        a_sheet().fill({**VALUES, "surname": "Okoye"})


def test_an_unused_or_unnamed_field_is_refused():
    with pytest.raises(FieldError, match="surname"):
        lay_out(a_letter("Hello\n", "<p>Hello\n"), {*VALUES, "surname"})
    with pytest.raises(FieldError, match="leave"):
        lay_out(a_letter("Hello\n", "<p>Hello\n"), VALUES.keys() - {"leave"})


@pytest.mark.parametrize("name", ["", "Name", "first name", "9", "naïve", "a-b"])
def test_a_field_name_other_than_lowercase_ascii_is_refused(name):
    with pytest.raises(FieldError):
        marker(name)


def test_to_holds_one_field_and_nothing_else():
    message = mime.letter({"To": f"{marker('to')}, x@y.z"}, text="", html="")
    with pytest.raises(FieldError, match="To"):
        lay_out(message, {"to"})


def test_a_header_line_too_long_for_its_fields_is_refused():
    message = mime.letter({"X-Long": f"{marker('a')}/{marker('b')}/{marker('c')}"}, text="", html="")
    with pytest.raises(FieldError, match="X-Long"):
        lay_out(message, {"a", "b", "c"})


def test_a_letter_without_html_is_refused():
    message = EmailMessage(policy=mime.LETTER)
    message.set_content("Hello\n")
    with pytest.raises(FieldError, match="multipart/alternative"):
        lay_out(message, ())


plain_words = st.lists(st.sampled_from(["From", "a", "x." * 9, "word", "/~_-+:,"]), max_size=60).map(" ".join)


@given(words | plain_words, st.integers(0, 300), tokens, addresses)
def test_a_value_in_bytes_makes_the_same_letter(text, length, token, to):
    values = {**VALUES, "name": text, "leave": f"https://{'news.' * (length // 5)}example/u/{token}", "to": to}
    sheet = lay_out(a_letter(f"{marker('name')}\n{marker('leave')}", f"<p>{marker('name')}", subject="News"), VALUES)
    quick = {field: as_bytes(value) if field in ("name", "leave", "date") else value for field, value in values.items()}
    assert sheet.fill(quick) == sheet.fill(values)


@given(st.text("abcXYZ .'-\"<>\\éЖ=?1", max_size=60).map(mime.on_one_line).filter(bool), addresses)
def test_beside_to_writes_what_mailbox_writes(name, to):
    sheet = a_sheet()
    simple = beside_to(mime.phrase(name), to)
    if simple:
        assert sheet.fill({**VALUES, "to": simple}) == sheet.fill({**VALUES, "to": mime.mailbox(name, to)})
