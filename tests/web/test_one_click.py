"""The one-click POST in every wrapping that mail programs give it."""

import asyncio
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from newsletter.errors import Malformed
from newsletter.web.one_click import ONE_CLICK, parse_unsubscription

PAIR = b"List-Unsubscribe=One-Click"
FORM = "application/x-www-form-urlencoded"
MULTIPART = 'multipart/form-data; boundary="x"'
PART = b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'


def posted(body: bytes, content_type: str | None, query: bytes = b"") -> dict[str, list[str]]:
    """Return the form that the request holds."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body}

    headers = [(b"content-type", content_type.encode())] if content_type is not None else []
    scope = {"type": "http", "method": "POST", "path": "/u/x", "query_string": query, "headers": headers}
    return dict(asyncio.run(parse_unsubscription(Request(scope, receive))))


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        FORM,
        f"{FORM}; charset=UTF-8",
        f"{FORM};charset=iso-8859-1",
        "Application/X-WWW-Form-URLEncoded",
        "text/plain",
        "text/plain;charset=UTF-8",
        "text/html",
        "application/octet-stream",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "nonsense",
    ],
)
@pytest.mark.parametrize("end", [b"", b"\r\n", b"\n", b" ", b"\t", b"\0", b"\r\n\r\n", b"%0D%0A", b"&", b";"])
def test_the_pair_counts_under_every_content_type_and_with_every_end(content_type, end):
    assert posted(PAIR + end, content_type) == ONE_CLICK


@pytest.mark.parametrize(
    "body",
    [
        b"list-unsubscribe=one-click",
        b"LIST-UNSUBSCRIBE=ONE-CLICK",
        b"List-Unsubscribe=One-click",
        b"List-Unsubscribe=One%2DClick",
        b"List%2DUnsubscribe=One-Click",
        b"List-Unsubscribe%3DOne-Click",
        b'List-Unsubscribe="One-Click"',
        b"'List-Unsubscribe'='One-Click'",
        b'"List-Unsubscribe=One-Click"',
        b"List-Unsubscribe = One-Click",
        b"List-Unsubscribe=+One-Click",
        b"\xef\xbb\xbfList-Unsubscribe=One-Click",
        b"\xc2\xa0List-Unsubscribe=One-Click\xc2\xa0",
        b"List-Unsubscribe=One-Click\xa0",
        b"&List-Unsubscribe=One-Click",
        b"email=ana%40example.org&List-Unsubscribe=One-Click&x=1",
        b"x=1;List-Unsubscribe=One-Click",
        b"x=1\r\nList-Unsubscribe=One-Click\r\n",
        b"List-Unsubscribe=One-Click&List-Unsubscribe=One-Click",
        b"List-Unsubscribe=One-Click&unsubscribe=&all=yes",
    ],
)
@pytest.mark.parametrize("content_type", [None, FORM, "text/plain"])
def test_the_pair_counts_in_every_spelling(body, content_type):
    assert posted(body, content_type) == ONE_CLICK


@pytest.mark.parametrize(
    "body",
    [
        PART,
        PART.replace(b'"List-Unsubscribe"', b"List-Unsubscribe"),
        PART.replace(b"One-Click", b"one-click "),
        PART.replace(b"List-Unsubscribe", b"list-unsubscribe"),
        PART.replace(b"\r\n\r\n", b"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"),
        PART.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: 8bit\r\nContent-Length: 9\r\n\r\n"),
        PART.replace(b"\r\n", b"\n"),
        PART.removesuffix(b"--x--\r\n"),
        PART.removesuffix(b"\r\n--x--\r\n"),
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' + PART,
        b"\r\n" + PART,
        PAIR,
    ],
)
@pytest.mark.parametrize("content_type", [MULTIPART, "multipart/form-data; boundary=y", "multipart/mixed", None])
def test_the_pair_counts_in_a_multipart_body_whole_or_broken(body, content_type):
    assert posted(body, content_type) == ONE_CLICK


def test_the_pair_counts_in_json():
    assert posted(b'{"List-Unsubscribe": "One-Click"}', "application/json") == ONE_CLICK
    assert posted(b'{"list-unsubscribe": ["one-click"]}', "application/json; charset=utf-8") == ONE_CLICK


@pytest.mark.parametrize("query", [PAIR, b"utm_source=x&list-unsubscribe=one-click", PAIR + b"%20"])
@pytest.mark.parametrize(("body", "content_type"), [(b"", None), (b"", FORM), (b"x=1", FORM), (b"x", "text/plain")])
def test_the_pair_counts_in_the_query(query, body, content_type):
    assert posted(body, content_type, query) == ONE_CLICK


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x=1",
        b"List-Unsubscribe",
        b"List-Unsubscribe=",
        b"List-Unsubscribe=No",
        b"List-Unsubscribe=One-Clicks",
        b"List-Unsubscribe=Two-Click",
        b"One-Click",
        b"One-Click=List-Unsubscribe",
        b"List-Unsubscribe-Post=One-Click",
        b"xList-Unsubscribe=One-Click",
        b"List-Unsubscribe=x&Other=One-Click",
    ],
)
@pytest.mark.parametrize("content_type", [None, FORM, "text/plain", "application/octet-stream"])
def test_another_body_is_no_one_click(body, content_type):
    assert posted(body, content_type) != ONE_CLICK


@given(st.binary(max_size=300), st.sampled_from([None, FORM, MULTIPART, "application/json", "text/plain"]))
def test_no_body_is_taken_for_the_pair_or_fails(body, content_type):
    with suppress(Malformed):
        assert posted(body, content_type) != ONE_CLICK


def test_the_button_of_the_page_is_read_from_a_form():
    assert posted(b"unsubscribe=yes&all=yes", FORM) == {"unsubscribe": ["yes"], "all": ["yes"]}
    assert posted(b"unsubscribe=yes", "text/plain") == {}


def test_a_long_body_is_read_quickly():
    started = time.process_time()
    for body in (b"name=" * 13_000, b'name="a\n' * 8000, b"x\n" * 32_000, b'name="' + b"\n" * 60_000):
        assert posted(body, "text/plain") != ONE_CLICK
    assert time.process_time() - started < 5
