"""Parse the body of a POST, form or JSON alike, into lists of text by field."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import UploadFile

from newsletter.errors import Malformed

FormData = Mapping[str, Sequence[str]]


async def parse_body(request: Request) -> FormData:
    """Return the fields of a urlencoded, multipart or JSON body. Raises Malformed for any other body, and for files."""
    if request.headers.get("content-type", "").startswith("application/json"):
        return _from_json(await request.body())
    async with request.form(max_files=10, max_fields=100) as form:
        fields: dict[str, list[str]] = {}
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                raise Malformed(name, "This field takes text, not a file.")
            fields.setdefault(name, []).append(value)
        return fields


def _from_json(body: bytes) -> FormData:
    try:
        parsed = json.loads(body)
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
        return str(value)
    raise Malformed(field, "Enter text, a number, true or false here.")


RequestForm = Annotated[FormData, Depends(parse_body)]


def first_value(form: FormData, field: str) -> str:
    """Return the field's first value, or an empty string."""
    return next(iter(form.get(field, ())), "")


def is_checked(form: FormData, field: str) -> bool:
    """Whether a box was checked. Any other value is not consent (GDPR Art. 4(11))."""
    return first_value(form, field) in ("true", "on", "yes", "1")
