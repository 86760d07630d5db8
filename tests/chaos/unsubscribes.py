"""Readers who leave while the issue that they would get is on its way, by their mail program's button (RFC 8058)."""

import time
from contextlib import suppress

import httpx2
from sqlalchemy import select

from newsletter.consent.subscribers import Subscriber
from newsletter.keys import Keyring
from newsletter.links import Links, Purpose
from tests.chaos.environment import Stand
from tests.chaos.running_issue import SECRET

BUTTON = {"List-Unsubscribe": "One-Click"}


def one_by_one(stand: Stand, *, one_in: int) -> dict[str, float]:
    """1 in so many leaves, spread over the time that the issue takes; when they had, by the monotonic clock.

    That is when the site's answer had come: a moment after the commit, so whoever was written to later than it allows
    was written to later still after the commit.
    """
    with stand.database.reading() as session:
        rows = select(Subscriber.id, Subscriber.address).order_by(Subscriber.id)  # their letters leave in this order
        readers = [(place, number, str(address)) for place, (number, address) in enumerate(session.execute(rows))]
    # Each leaves a while before their letter would: most shortly before, so that it may be in somebody's hands already.
    going = sorted(
        (max(1, place - int(stand.chance.random() ** 2 * stand.audience / 4)), number, address)
        for place, number, address in stand.chance.sample(readers, len(readers) // one_in)
    )
    links = Links(Keyring([tuple(SECRET.split(":"))]), stand.base_url)
    left: dict[str, float] = {}
    with httpx2.Client(trust_env=False, timeout=20) as browser:
        for moment, number, address in going:
            stand.until(lambda moment=moment: stand.taken() >= moment, within=60)
            if stand.has_left():
                break
            with suppress(httpx2.TransportError):
                answer = browser.post(links.url(Purpose.UNSUBSCRIBE, number, 1), data=BUTTON)
                if answer.status_code == 200:
                    left[address] = time.monotonic()
    return left
