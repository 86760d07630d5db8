"""Recognize the POST by which a mail program unsubscribes, `List-Unsubscribe=One-Click` (RFC 8058 section 3.2).

The RFC allows two encodings of the pair. Mail programs also send it without a Content-Type, as text/plain, as JSON, in
the URL's query, in other letter case, or with a line end behind it. Nobody posts this pair to a letter's link for
another reason, so every spelling counts: a refused one leaves a reader who wanted to go.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated
from urllib.parse import unquote_plus

from fastapi import Depends, Request

from newsletter.errors import Malformed
from newsletter.web import form_data
from newsletter.web.form_data import FormData

ONE_CLICK = {"List-Unsubscribe": ["One-Click"]}
NAME, VALUE = "list-unsubscribe", "one-click"
SEPARATORS = re.compile(r"[&;\r\n]+")
# Blanks, quotes, a byte order mark and the like, around a name or a value; U+FFFD is a byte that is not UTF-8.
AROUND = " \t\r\n\0\"'<>\u00a0\ufeff\ufffd"
# The header of the pair in a multipart body.
HEADER = re.compile(r'\bname="?list-unsubscribe"?[ \t]*(;|$)', re.IGNORECASE)


async def parse_unsubscription(request: Request) -> FormData:
    """Return ONE_CLICK for every spelling of the pair, otherwise the form. Raises Malformed where `parse` does."""
    body, content_type = await request.body(), request.headers.get("content-type", "")
    is_one_click = any(
        name.strip(AROUND).lower() == NAME and value.strip(AROUND).lower() == VALUE
        for name, value in _pairs(body, content_type, request.url.query)
    )
    return ONE_CLICK if is_one_click else form_data.parse(body, content_type)


def _pairs(body: bytes, content_type: str, query: str) -> Iterator[tuple[str, str]]:
    """Yield each name and value that the request may mean."""
    text = unquote_plus(body.decode(errors="replace"))
    for pair in SEPARATORS.split(f"{text}&{unquote_plus(query)}"):
        name, _, value = pair.partition("=")
        yield name, value
    yield from _parts(text)
    with suppress(Malformed):
        for name, values in form_data.parse(body, content_type).items():
            for value in values:
                yield name, value


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield the pair of a multipart body that no parser takes, as one without Content-Type or with bare line feeds."""
    is_header = is_content = False
    for line in map(str.strip, text.splitlines()):
        if is_content and line:
            yield NAME, line
        is_content = (is_header or is_content) and not line
        is_header = bool(HEADER.search(line)) or (is_header and bool(line))


UnsubscriptionForm = Annotated[FormData, Depends(parse_unsubscription)]
