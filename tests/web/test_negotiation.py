"""Which language a page has that no link determines."""

import time

import pytest
from fastapi import Request

from newsletter.web.negotiation import language_of

OFFERED = ("de", "en", "ar")


def request(query: str = "", accept: str = "") -> Request:
    headers = [(b"accept-language", accept.encode())] if accept else []
    return Request({"type": "http", "query_string": query.encode(), "headers": headers})


@pytest.mark.parametrize(
    ("query", "accept", "expected"),
    [
        ("", "", "de"),
        ("", "en-GB,en;q=0.9,de;q=0.8", "en"),
        ("", "fr, ar-EG;q=0.7, en;q=0.2", "ar"),
        ("", "de;q=0, en;q=0.1", "en"),
        ("", "tlh, *", "de"),
        ("language=ar", "en", "ar"),
        ("language=AR-eg", "en", "ar"),
        ("language=fr", "en", "en"),
        ("language=%00;DROP", "en;q=x, ,;;, ar", "ar"),
    ],
)
def test_the_url_decides_then_the_browser_then_the_newsletter(query, accept, expected):
    assert language_of(request(query, accept), OFFERED) == expected


def test_a_header_of_8_kilobytes_costs_nothing_and_counts_as_far_as_it_is_read():
    long = "en;q=0.5," + ",".join(f"x{number}-{'a' * 8};q=0.9" for number in range(600))
    started = time.process_time()
    assert language_of(request(accept=long[:8192]), OFFERED) == "en"
    assert language_of(request(accept="a-" * 4096), OFFERED) == "de"
    assert time.process_time() - started < 1


def test_without_any_offer_a_page_is_english():
    assert language_of(request(accept="de"), ()) == "en"
