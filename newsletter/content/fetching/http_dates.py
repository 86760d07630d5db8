"""Read dates in HTTP's three forms (RFC 9110 section 5.6.7), and the pauses that servers ask for."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

FORM = re.compile(r"[A-Z][a-z]{2,8},? [\w -]{4,15} \d\d:\d\d:\d\d (?:GMT|\d{4})", re.ASCII)
MAX_PAUSE = timedelta(days=1)  # a longer one is as likely a mistake of the server


def parse(value: str) -> datetime | None:
    """Return the time of an HTTP date, None if it is none."""
    if not FORM.fullmatch(value):
        return None
    try:
        moment = parsedate_to_datetime(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def pause(value: str, *, now: datetime) -> timedelta | None:
    """Return the pause of a Retry-After field (RFC 9110 section 10.2.3), a day at most; None if it names none."""
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return min(timedelta(seconds=int(value[:9])), MAX_PAUSE)
    until = parse(value)
    return min(max(until - now, timedelta(0)), MAX_PAUSE) if until else None
