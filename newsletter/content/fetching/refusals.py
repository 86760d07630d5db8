"""Explain a response that brings no document: what the server says, what an operator can do, and when to ask again."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import httpx2

from newsletter.content.fetching import http_dates
from newsletter.content.fetching.destinations import FetchError, ServerUnavailable
from newsletter.content.parsing import web_pages

TEMPORARY = (408, 425, 429)  # and every server error
GONE_PAUSE = timedelta(days=7)
ADVICE = {
    **dict.fromkeys((301, 302, 303, 307, 308), "It redirects to no address that can be followed."),
    304: "It was asked for the whole document.",
    401: "It asks for a login; only public feeds can be read.",
    403: "It refuses this service. Ask the publisher to let it read the feed.",
    410: "Its publisher has ended it. It is asked once a week; remove it if it does not come back.",
    429: "It asks for longer pauses.",
}
# Fields with which content delivery networks and firewalls mark a check for robots.
ROBOT_CHECKS = ("cf-mitigated", "x-amzn-waf-action", "x-vercel-mitigated", "sg-captcha")


def is_robot_check(headers: Mapping[str, str]) -> bool:
    """Return whether a response is marked as a check for robots, whatever its status."""
    return any(name in headers for name in ROBOT_CHECKS)


def refusal(status: int, headers: Mapping[str, str], page: str, *, url: str, now: datetime) -> FetchError:
    """Return the error for a response whose status is not 200, and whose body begins with `page`."""
    obstacle = web_pages.ROBOT_CHECK if is_robot_check(headers) else web_pages.obstacle(page, url=url)
    advice = obstacle or ADVICE.get(status, "")
    retry_after = http_dates.pause(headers.get("Retry-After", ""), now=now)
    if status == httpx2.codes.GONE:
        retry_after = GONE_PAUSE
    kind = ServerUnavailable if status in TEMPORARY or httpx2.codes.is_server_error(status) else FetchError
    return kind(f"The server answered {_with_phrase(status)}. {advice}".rstrip(), retry_after=retry_after)


def _with_phrase(status: int) -> str:
    """Return, for example, `404 Not Found`, with the standard phrase: the server's own is untrusted text."""
    phrase = httpx2.codes.get_reason_phrase(status)
    return f"{status} {phrase}".rstrip()
