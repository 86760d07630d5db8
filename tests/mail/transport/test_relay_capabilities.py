"""What the relays offer reaches the sign-up form through the database."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from newsletter.mail.transport import relay_capabilities
from newsletter.mail.transport.relay_capabilities import (
    MOST_COUNTS_FOR,
    REPEAT_AFTER,
    VALID_FOR,
    CapabilityWriter,
    RelayCapability,
)
from newsletter.mail.transport.smtp.extensions import Extensions
from newsletter.relays import Relay
from tests.clock import NOON

NARROW, WIDE = Extensions(), Extensions(utf8=True)
ONE, OTHER = Relay(host="one.example", port=25), Relay(host="other.example", port=587)


def write(begin, relay: Relay, extensions: Extensions, *, now: datetime = NOON) -> None:
    """Write what a process that has just started sees."""
    writer = CapabilityWriter(begin)
    writer.relay_opened(relay, extensions)
    writer.write(now=now)


def take_utf8(begin, *relays: Relay, now: datetime = NOON) -> bool:
    with begin() as session:
        return relay_capabilities.take_utf8(session, relays, now=now)


def seen_at(begin, relay: Relay) -> datetime:
    with begin() as session:
        return session.scalars(select(RelayCapability.seen_at).where(RelayCapability.place == relay.endpoint)).one()


def test_the_outbox_and_relays_that_nobody_has_met_take_every_address(begin):
    assert take_utf8(begin)
    assert take_utf8(begin, ONE)
    write(begin, OTHER, NARROW)
    assert take_utf8(begin, ONE)
    assert take_utf8(begin, ONE, OTHER)
    assert not take_utf8(begin, OTHER)


def test_one_relay_of_several_is_enough(begin):
    write(begin, ONE, NARROW)
    write(begin, OTHER, WIDE)
    assert take_utf8(begin, ONE, OTHER)
    assert not take_utf8(begin, ONE)


def test_a_relay_that_offers_more_counts_at_once_and_one_that_offers_less_after_half_an_hour(begin):
    write(begin, ONE, NARROW)
    write(begin, ONE, WIDE)
    assert take_utf8(begin, ONE)
    write(begin, ONE, NARROW, now=NOON + MOST_COUNTS_FOR - timedelta(seconds=1))
    assert take_utf8(begin, ONE), "another server behind the same name may take it"
    write(begin, ONE, NARROW, now=NOON + MOST_COUNTS_FOR)
    assert not take_utf8(begin, ONE)


def test_what_a_relay_offered_is_forgotten_after_a_week(begin):
    write(begin, ONE, NARROW)
    assert not take_utf8(begin, ONE, now=NOON + VALID_FOR - timedelta(seconds=1))
    assert take_utf8(begin, ONE, now=NOON + VALID_FOR)


@pytest.mark.parametrize(
    ("offers", "after", "is_written"), [(NARROW, 299, False), (NARROW, 300, True), (WIDE, 1, True)]
)
def test_a_process_writes_changes_at_once_and_the_rest_every_five_minutes(begin, offers, after, is_written):
    writer = CapabilityWriter(begin)
    writer.relay_opened(ONE, NARROW)
    writer.write(now=NOON)
    later = NOON + timedelta(seconds=after)
    writer.relay_opened(ONE, offers)
    writer.write(now=later)
    assert seen_at(begin, ONE) == (later if is_written else NOON)
    assert timedelta(seconds=300) == REPEAT_AFTER


def test_without_a_new_connection_nothing_is_written(begin):
    writer = CapabilityWriter(begin)
    writer.write(now=NOON)
    writer.relay_opened(ONE, NARROW)
    writer.write(now=NOON)
    writer.write(now=NOON + 2 * REPEAT_AFTER)
    assert seen_at(begin, ONE) == NOON
