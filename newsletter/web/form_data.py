"""Parse the body of a POST, form or JSON alike, into lists of text by field.

Text is read in the charset that the form declares, otherwise as UTF-8. It is never guessed, and never stored with
replacement characters: who has such a name would be greeted with them for years.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Annotated, Any, NamedTuple
from urllib.parse import unquote_to_bytes

from fastapi import Depends, Request
from python_multipart import parse_form
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, parse_options_header

from newsletter.content.parsing.documents.charsets import codec_of
from newsletter.errors import Malformed
from newsletter.languages.translatable import translatable

FormData = Mapping[str, Sequence[str]]

MAX_FIELDS = 100
MAX_SHOWN_CHARACTERS = 300  # of an entered value that a page shows again
UTF_8 = "utf-8"
# A browser writes characters that the page's charset lacks as references (HTML, section "form submission").
REFERENCE = re.compile(r"&#(\d{1,7});")
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
UNREADABLE_TEXT = translatable(
    "We could not read some characters: they did not arrive as UTF-8. Please use the newsletter's own page."
)


class Part(NamedTuple):
    """A field as it arrived. Its charset is None unless it declares its own."""

    name: bytes
    value: bytes
    charset: bytes | None = None


async def parse_body(request: Request) -> FormData:
    """Return the fields of a request's body. Raises Malformed where `parse` does."""
    return parse(await request.body(), request.headers.get("content-type", ""))


def parse(body: bytes, content_type: str) -> FormData:
    """Return the fields of a urlencoded, multipart or JSON body; of any other body, none.

    The charset is the one of a part (RFC 7578 section 4.5), else the one that the field `_charset_` names (section
    4.6), else the Content-Type's. Raises Malformed for a body that breaks its format, for files, and for text in
    another charset.
    """
    kind, options = parse_options_header(content_type)
    if kind == b"application/json":
        return _from_json(body)
    if kind == b"application/x-www-form-urlencoded":
        parts = list(_urlencoded(body))
    elif kind == b"multipart/form-data":
        parts = _multipart(body, content_type)
    else:
        return {}
    if len(parts) > MAX_FIELDS:
        raise Malformed("form", translatable("The form has more than %(fields)s fields.", fields=MAX_FIELDS))
    common = _codec(next((part.value for part in parts if part.name == b"_charset_"), options.get(b"charset")))
    fields: dict[str, list[str]] = {}
    for part in parts:
        codec = _codec(part.charset) if part.charset else common
        name = _decoded("form", part.name, codec)
        fields.setdefault(name, []).append(_decoded(name, part.value, codec))
    return fields


def _urlencoded(body: bytes) -> Iterator[Part]:
    for pair in body.replace(b"+", b" ").split(b"&"):
        if pair:
            name, _, value = pair.partition(b"=")
            yield Part(_unquoted(name), _unquoted(value))


def _unquoted(text: bytes) -> bytes:
    return unquote_to_bytes(text) if b"%" in text else text


def _multipart(body: bytes, content_type: str) -> list[Part]:
    parts: list[Part] = []

    def on_field(field: Field) -> None:
        _, options = parse_options_header(field.content_type)
        parts.append(Part(field.field_name or b"", field.value or b"", options.get(b"charset")))

    def on_file(file: File) -> None:
        raise Malformed(
            (file.field_name or b"").decode(UTF_8, "replace"), translatable("This field takes text, not a file.")
        )

    try:
        parse_form({"Content-Type": content_type.encode()}, BytesIO(body), on_field, on_file)
    except FormParserError:
        raise Malformed("form", translatable("The form arrived incomplete. Please send it again.")) from None
    return parts


def _codec(charset: bytes | None) -> str:
    return (codec_of(charset.decode("latin-1").strip()) if charset else None) or UTF_8


def _decoded(field: str, text: bytes, codec: str) -> str:
    if codec == UTF_8 and text.isascii():  # as nearly all are; nothing below concerns these characters
        return text.decode()
    try:
        decoded = text.decode(codec)
    except UnicodeDecodeError:
        raise Malformed(field, UNREADABLE_TEXT) from None
    if codec != UTF_8:
        decoded = REFERENCE.sub(lambda reference: _referenced(reference, codec), decoded)
    return _checked(field, decoded)


def _referenced(reference: re.Match[str], codec: str) -> str:
    """Return the character if the charset lacks it; otherwise somebody typed the reference itself."""
    number = int(reference[1])
    character = chr(number) if number < 0x110000 else "\ud800"
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return character if _is_encodable(character) else reference[0]
    return reference[0]


def _checked(field: str, text: str) -> str:
    if REPLACEMENT in text:  # another program could not read it
        raise Malformed(field, UNREADABLE_TEXT)
    return text


def _from_json(body: bytes) -> FormData:
    try:
        parsed = json.loads(body.decode("utf-8-sig"))  # RFC 8259 section 8.1: UTF-8, perhaps with a byte order mark
    except UnicodeDecodeError:  # messages about JSON are for the programmer who sends it, in English
        raise Malformed("body", "The body is not UTF-8, as JSON must be.") from None
    except (ValueError, RecursionError):
        raise Malformed("body", "The body is not valid JSON.") from None
    if not isinstance(parsed, dict):
        raise Malformed("body", 'The body must be a JSON object, such as {"email": "name@example.org"}.')
    if not all(map(_is_encodable, parsed)):
        raise Malformed("body", "The name of a field is not valid text.")
    return {
        name: [_text(name, item) for item in _as_list(value)] for name, value in parsed.items() if value is not None
    }


def _is_encodable(text: str) -> bool:
    """Whether text can be written as UTF-8. JSON can spell a lone surrogate, which no page or database accepts."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(field: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int) and _is_encodable(str(value)):
        return _checked(field, str(value))
    raise Malformed(field, translatable("Enter text, a number, true or false here."))


RequestForm = Annotated[FormData, Depends(parse_body)]


def first_value(form: FormData, field: str) -> str:
    """Return the field's first value, or an empty string."""
    return next(iter(form.get(field, ())), "")


def shown_again(form: FormData, field: str) -> str:
    """Return what a visitor entered in a field, as far as a page shows it again."""
    return first_value(form, field)[:MAX_SHOWN_CHARACTERS]


def is_checked(form: FormData, field: str) -> bool:
    """Whether a box was checked. Any other value is not consent (GDPR Art. 4(11))."""
    return first_value(form, field) in ("true", "on", "yes", "1")
