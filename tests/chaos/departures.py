"""Readers who leave while the issue that they would get is on its way, by their mail program's button (RFC 8058)."""

import time
from contextlib import suppress

import httpx2
from sqlalchemy import select

from newsletter.consent.subscribers import Subscriber
from newsletter.keys import Keyring
from newsletter.links import Links, Purpose
from tests.chaos.ground import LOOK, SECRET
from tests.chaos.stand import Stand

BUTTON = {"List-Unsubscribe": "One-Click"}


def one_by_one(stand: Stand, *, one_in: int) -> dict[str, float]:
    """1 in so many leaves, spread over the time that the issue takes; when they had, by the monotonic clock.

    That is when the site's answer had come: a moment after the commit, so whoever was written to later than it allows
    was written to later still after the commit.
    """
    with stand.database.reading() as session:
        readers = [(number, address) for number, address in session.execute(select(Subscriber.id, Subscriber.address))]
    # Not those whose letter leaves first: for the others there is something to be withheld.
    going = stand.chance.sample(readers[len(readers) // 10 :], len(readers) // one_in)
    links = Links(Keyring([tuple(SECRET.split(":"))]), stand.base_url)
    left: dict[str, float] = {}
    with httpx2.Client(trust_env=False, timeout=20) as browser:
        for place, (number, address) in enumerate(sorted(going)):
            # Each leaves shortly before their letter would: letters leave in the order of readers.
            stand.until(lambda place=place: stand.taken() >= place * one_in, within=60)
            with suppress(httpx2.TransportError):
                answer = browser.post(links.url(Purpose.UNSUBSCRIBE, number, 1), data=BUTTON)
                if answer.status_code == 200:
                    left[address] = time.monotonic()
            if stand.has_left():
                break
            time.sleep(LOOK / 20)
    return left
