"""Keep the validators of a response, and send back those that are safe to send (RFC 9110 sections 8.8 and 13.1).

A validator is an untrusted text that is stored and becomes a part of the next request. So a wrong one could make every
later request fail, or hide every later change of the document.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from newsletter.content.fetching import http_dates

MAX_CHARACTERS = 1000  # of a validator that is stored
# An opaque tag, or one without quotes as careless servers send it. `*`, lists and empty tags match more than a version.
ETAG = re.compile(r"""(?:[Ww]/)?"[ !#-~\x80-\xff]+"|[!#-)+\--~\x80-\xff]+""")
EARLIEST = datetime(1991, 1, 1, tzinfo=UTC)  # before HTTP; such a date is an unset clock or a default value
MAX_CLOCK_ERROR = timedelta(minutes=5)  # of a server's clock that is ahead of ours


def received(values: Iterable[bytes]) -> str | None:
    """Return a field's value as a text of one character for each byte; None if it is ambiguous or cannot be stored."""
    different = {value.strip() for value in values}
    if len(different) != 1:
        return None
    value = different.pop().decode("latin-1")
    is_storable = 0 < len(value) <= MAX_CHARACTERS and not re.search(r"[\x00-\x1f\x7f]", value)
    return value if is_storable else None


def conditions(etag: str | None, last_modified: str | None, *, now: datetime) -> list[tuple[bytes, bytes]]:
    """Return the fields of a conditional request, without the validators that cannot be sent or believed.

    They are checked when they are sent, because rows that other releases wrote may contain any text.
    """
    fields = []
    if etag and ETAG.fullmatch(etag):
        fields.append((b"If-None-Match", etag.encode("latin-1")))
    if last_modified and _is_believable(last_modified, now):
        fields.append((b"If-Modified-Since", last_modified.encode("ascii")))
    return fields


def _is_believable(last_modified: str, now: datetime) -> bool:
    """Return whether a date can be that of the document: a server may answer 304 to a wrong one for ever."""
    moment = http_dates.parse(last_modified)
    return moment is not None and EARLIEST <= moment <= now + MAX_CLOCK_ERROR
