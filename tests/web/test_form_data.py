"""Forms are read in their own charset; broken and hostile bodies are refused with the field's name."""

from contextlib import suppress
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import select

from newsletter.consent.signups.signups import Signup
from newsletter.errors import Malformed
from newsletter.web.form_data import parse
from tests.whole_service import whole_service

FORM = "application/x-www-form-urlencoded"
NAMES = [
    ("iso-8859-1", "Jörg"),
    ("windows-1252", "Zoë “Z” €"),
    ("iso-8859-2", "Łukasz Žižka"),
    ("iso-8859-15", "Œuvre €"),
    ("windows-1251", "Анна"),
    ("koi8-r", "Борис"),
    ("shift_jis", "山田太郎"),
    ("euc-jp", "山田太郎"),
    ("gb2312", "王小明"),
    ("gb18030", "王小明"),
    ("big5", "王小明"),
    ("euc-kr", "김철수"),
    ("utf-8", "Zażółć 世界 😀"),
]
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd"))


def urlencoded(fields: dict[str, str], charset: str) -> bytes:
    pairs = ("=".join(quote_from_bytes(part.encode(charset)) for part in pair) for pair in fields.items())
    return "&".join(pairs).encode()


def multipart(fields: dict[str, str], charset: str, *, part: str = "") -> bytes:
    """Return a body with the boundary b, whose parts have this line in their header."""
    head = '--b\r\nContent-Disposition: form-data; name="{}"\r\n' + part + "\r\n"
    parts = [head.format(name).encode(charset) + value.encode(charset) + b"\r\n" for name, value in fields.items()]
    return b"".join(parts) + b"--b--\r\n"


def refused(body: bytes, content_type: str) -> str:
    """Return the field that the refusal names."""
    with pytest.raises(Malformed) as error:
        parse(body, content_type)
    return error.value.field


@given(st.dictionaries(TEXT, TEXT))
def test_a_form_is_read_as_utf_8(fields):
    assert parse(urlencoded(fields, "utf-8"), FORM) == {name: [value] for name, value in fields.items()}


@pytest.mark.parametrize(("charset", "name"), NAMES)
def test_a_form_is_read_in_the_charset_of_its_content_type(charset, name):
    fields = {"name": name, "email": "ana@example.org"}
    read = {field: [value] for field, value in fields.items()}
    assert parse(urlencoded(fields, charset), f"{FORM}; charset={charset}") == read
    assert parse(urlencoded(fields, charset), f'{FORM}; Charset="{charset.upper()}"') == read
    assert parse(multipart(fields, charset), f"multipart/form-data; boundary=b; charset={charset}") == read


@pytest.mark.parametrize(("charset", "name"), NAMES)
def test_a_form_is_read_in_the_charset_that_its_own_field_names(charset, name):
    fields = {"name": name, "_charset_": charset}
    read = {field: [value] for field, value in fields.items()}
    assert parse(urlencoded(fields, charset), FORM) == read
    assert parse(urlencoded(fields, charset), f"{FORM}; charset=utf-8") == read
    assert parse(multipart(fields, charset), "multipart/form-data; boundary=b") == read


@pytest.mark.parametrize(("charset", "name"), NAMES)
def test_a_part_is_read_in_its_own_charset(charset, name):
    body = multipart({"name": name}, charset, part=f"Content-Type: text/plain; charset={charset}\r\n")
    assert parse(body, "multipart/form-data; boundary=b") == {"name": [name]}


@pytest.mark.parametrize(("charset", "name"), [pair for pair in NAMES if pair[0] != "utf-8"])
@pytest.mark.parametrize("label", ["", "; charset=utf-8", "; charset=x-unknown", "; charset="])
def test_text_in_an_undeclared_charset_is_refused_with_the_fields_name(charset, name, label):
    assert refused(urlencoded({"name": name}, charset), FORM + label) == "name"
    assert refused(multipart({"name": name}, charset), f"multipart/form-data; boundary=b{label}") == "name"


@pytest.mark.parametrize("charset", ["shift_jis", "euc-jp", "windows-1252", "utf-8"])
def test_bytes_that_the_declared_charset_does_not_have_are_refused(charset):
    assert refused(b"name=%81", f"{FORM}; charset={charset}") == "name"


@pytest.mark.parametrize("text", ["\ufffd", "J\ufffdrg"])
def test_text_that_another_program_could_not_read_is_refused(text):
    assert refused(urlencoded({"name": text}, "utf-8"), FORM) == "name"
    assert refused(multipart({"name": text}, "utf-8"), "multipart/form-data; boundary=b") == "name"
    assert refused(f'{{"name": "{text}"}}'.encode(), "application/json") == "name"


@pytest.mark.parametrize("charset", ["utf-16", "utf-32", "latin-1"])
def test_json_in_another_charset_than_utf_8_is_refused(charset):
    assert refused('{"name": "Jörg"}'.encode(charset), f"application/json; charset={charset}") == "body"
    assert parse('\ufeff{"name": "Jörg"}'.encode(), "application/json") == {"name": ["Jörg"]}


def test_a_reference_for_a_character_that_the_charset_lacks_is_that_character():
    """Browsers send it so from pages that are not UTF-8."""
    assert parse(b"name=J%F6rg+%26%2326085%3B", f"{FORM}; charset=iso-8859-1") == {"name": ["Jörg 日"]}
    assert parse(b"name=%26%2365%3B", f"{FORM}; charset=iso-8859-1") == {"name": ["&#65;"]}, "somebody typed it"
    assert parse(b"name=%26%2326085%3B", FORM) == {"name": ["&#26085;"]}
    assert parse(b"name=%26%2355296%3B", f"{FORM}; charset=iso-8859-1") == {"name": ["&#55296;"]}
    assert parse(b"name=%26%239999999%3B", f"{FORM}; charset=iso-8859-1") == {"name": ["&#9999999;"]}


def test_all_values_of_a_field_are_read_in_order():
    assert parse(b"a=1&b=&a=2&c&&a=3+4%2B", FORM) == {"a": ["1", "2", "3 4+"], "b": [""], "c": [""]}


@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
def test_a_form_with_too_many_fields_is_refused(kind):
    fields = {f"field{number}": "x" for number in range(101)}
    if kind == "urlencoded":
        assert refused(urlencoded(fields, "utf-8"), FORM) == "form"
    else:
        assert refused(multipart(fields, "utf-8"), "multipart/form-data; boundary=b") == "form"


@pytest.mark.parametrize("body", [b"", b"--c\r\n\r\nx", b"no boundary", b"--b\r\n\r\nx\r\n--b--"])
def test_a_broken_multipart_body_is_no_server_error(body):
    for boundary in ("; boundary=b", "; boundary=", ""):
        with suppress(Malformed):
            assert parse(body, f"multipart/form-data{boundary}") == {}


@given(
    st.binary(max_size=200), st.sampled_from([FORM, f"{FORM}; charset=shift_jis", "multipart/form-data; boundary=b"])
)
def test_no_body_is_a_server_error(body, content_type):
    try:
        fields = parse(body, content_type)
    except Malformed:
        assume(False)
    assert "\ufffd" not in f"{fields}"


def test_a_name_in_latin_1_is_read_if_the_page_says_so_and_refused_in_words_if_not(sqlite_url, tmp_path):
    with whole_service(sqlite_url, tmp_path) as service:
        service.newsletter()
        fields = {**service.form(), "email": "ana@example.org", "name": "Jörg"}
        undeclared = urlencoded(fields, "latin-1")
        answer = service.browser.post("/subscribe", content=undeclared, headers={"Content-Type": FORM})
        assert answer.status_code == 422
        assert "could not read some characters" in answer.text
        declared = undeclared + b"&_charset_=ISO-8859-1"
        assert service.browser.post("/subscribe", content=declared, headers={"Content-Type": FORM}).status_code == 202
        with service.site.database.reading() as session:
            assert [evidence["name"] for evidence in session.scalars(select(Signup.evidence))] == ["Jörg"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (r'{"newsletters":["\ud800"]}', "newsletters"),
        (r'{"name":"\udfff"}', "name"),
        (r'{"\ud800":{}}', "body"),
    ],
)
def test_a_lone_surrogate_is_refused_with_the_fields_name(service, body, field):
    answer = service.browser.post("/subscribe", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert field in answer.json()["errors"]


def test_a_file_in_the_form_is_refused_with_the_fields_name(service):
    answer = service.browser.post(
        "/subscribe", files={"email": ("a.txt", b"text", "text/plain")}, headers={"Accept": "application/json"}
    )
    assert answer.status_code == 422
    assert "email" in answer.json()["errors"]
