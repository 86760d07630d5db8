"""Readers who unsubscribe while an issue is sent, by their mail program's button (RFC 8058)."""

import time
from contextlib import suppress

import httpx2
from sqlalchemy import select

from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.keys import Keyring
from newsletter.links import Links, Purpose
from tests.chaos.environment import ChaosEnvironment
from tests.chaos.running_issue import SECRET
from tests.waiting import TIMEOUT

BUTTON = {"List-Unsubscribe": "One-Click"}


def unsubscribe(environment: ChaosEnvironment, *, one_in: int) -> dict[str, float]:
    """Let one reader in `one_in` unsubscribe, spread over the issue's duration; return the monotonic times by address.

    A time is that of the site's response, which comes after the commit: a letter begun too late after the response was
    begun even later after the commit.
    """
    with environment.database.reading() as session:
        rows = select(Subscriber.id, Subscriber.address).order_by(Subscriber.id)  # the order in which letters are sent
        readers = [(position, number, str(address)) for position, (number, address) in enumerate(session.execute(rows))]
    # Most unsubscribe shortly before their letter's turn, when a worker may have claimed it already.
    schedule = sorted(
        (max(1, position - int(environment.chance.random() ** 2 * environment.audience / 4)), number, address)
        for position, number, address in environment.chance.sample(readers, len(readers) // one_in)
    )
    links = Links(Keyring([tuple(SECRET.split(":"))]), environment.base_url)
    left: dict[str, float] = {}
    with httpx2.Client(trust_env=False, timeout=TIMEOUT) as browser:
        for sent, number, address in schedule:
            environment.until(lambda sent=sent: environment.taken() >= sent, within=60)
            if environment.is_sent():
                break
            with suppress(httpx2.TransportError):
                response = browser.post(links.url(Purpose.UNSUBSCRIBE, number, 1), data=BUTTON)
                if response.status_code == 200:
                    left[address] = time.monotonic()
    return left
