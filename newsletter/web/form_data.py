"""What was posted, form or JSON alike, as lists of text by field."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import UploadFile

from newsletter.errors import Malformed

Posted = Mapping[str, Sequence[str]]


async def posted(request: Request) -> Posted:
    """The fields of a urlencoded, multipart or JSON body. Raises Malformed for what is none of these, or a file."""
    if request.headers.get("content-type", "").startswith("application/json"):
        return _from_json(await request.body())
    async with request.form(max_files=10, max_fields=100) as form:
        fields: dict[str, list[str]] = {}
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                raise Malformed(name, "This is a field for text, not for a file.")
            fields.setdefault(name, []).append(value)
        return fields


def _from_json(body: bytes) -> Posted:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed("body", "The body is not JSON.") from None
    if not isinstance(found, dict):
        raise Malformed("body", 'The body is a JSON object, such as {"email": "name@example.org"}.')
    if not all(map(_whole, found)):
        raise Malformed("body", "A field's name is not text.")
    return {name: [_text(name, item) for item in _listed(value)] for name, value in found.items() if value is not None}


def _whole(text: str) -> bool:
    """Whether text can be written as UTF-8: JSON can spell half a character, which neither page nor database takes."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(field: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int) and _whole(str(value)):
        return str(value)
    raise Malformed(field, "Enter text, a number, true or false here.")


Form = Annotated[Posted, Depends(posted)]


def one(form: Posted, field: str) -> str:
    """A field's value, or nothing; of several the first counts."""
    return next(iter(form.get(field, ())), "")


def ticked(form: Posted, field: str) -> bool:
    """Whether a box was ticked: consent by any other word is none (GDPR Art. 4(11))."""
    return one(form, field) in ("true", "on", "yes", "1")
