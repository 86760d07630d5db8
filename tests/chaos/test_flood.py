"""A flood of sign-ups from one network delays no visitor from elsewhere, also at a slow relay and with high limits."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import httpx2
import pytest

from newsletter.bench.relays import recording_sink
from newsletter.bench.visitor import browser_at
from tests.chaos.signups import hidden_fields
from tests.journeys.running_service import with_newsletter
from tests.processes import production
from tests.waiting import eventually

RATE = 14  # letters a second that the relay takes
FLOOD_RATE = 60  # sign-ups a second
BROWSERS = 4
VISITORS = 5
VISITOR_INTERVAL = 3.0  # seconds between two visitors
PATIENCE = 10.0  # seconds from a visitor's 202 to the relay's 250


def sign_up(browser: httpx2.Client, form: dict, email: str, *, ip: str) -> None:
    answer = browser.post("/subscribe", data={**form, "email": email}, headers={"X-Forwarded-For": ip})
    assert answer.status_code == 202


def flood(base_url: str, which: int, ended: Event) -> int:
    """Sign up from one /24 until the event, at this browser's share of the rate; return how many signed up."""
    began, number = time.monotonic(), 0
    with browser_at(base_url) as browser:
        form = hidden_fields(browser)
        while not ended.wait(max(0.0, began + number * BROWSERS / FLOOD_RATE - time.monotonic())):
            sign_up(browser, form, f"f{number}@d{which}-{number}.example", ip=f"198.51.100.{number % 250}")
            number += 1
    return number


@pytest.mark.slow
@pytest.mark.postgresql
@pytest.mark.redis
def test_visitors_from_elsewhere_have_their_letters_at_the_relay_in_the_midst_of_a_flood(
    postgresql_url, redis_url, tmp_path
):
    ended, signed_up = Event(), {}
    with recording_sink(tmp_path) as sink, with_newsletter(postgresql_url), ThreadPoolExecutor(BROWSERS) as browsers:
        relay = sink.url_for(connections=2, rate=RATE)
        with (
            production(
                postgresql_url, redis_url, relay, tmp_path, level="warning", TRUSTED_PROXIES="127.0.0.1"
            ) as service,
            browser_at(service.base_url) as browser,
        ):
            form = hidden_fields(browser)
            floods = [browsers.submit(flood, service.base_url, which, ended) for which in range(BROWSERS)]
            try:
                for number in range(VISITORS):
                    ended.wait(VISITOR_INTERVAL)
                    email = f"visitor{number}@elsewhere.example"
                    sign_up(browser, form, email, ip=f"203.0.{number}.1")
                    signed_up[email] = time.monotonic()
                taken = eventually(lambda: arrivals(sink, signed_up))
            finally:
                ended.set()
            posted = sum(each.result() for each in floods)
        assert posted > 3 * len(sink.letters()), "it was a flood"
    waits = {email: taken[email] - at for email, at in signed_up.items()}
    assert max(waits.values()) < PATIENCE, waits


def arrivals(sink, signed_up) -> dict[str, float] | None:
    """Return when the relay took the letter of each of these visitors; None before it has all."""
    taken = {letter.recipients[0].strip("<>"): letter.taken_at for letter in sink.letters()}
    return taken if signed_up.keys() <= taken.keys() else None
