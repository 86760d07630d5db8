"""Checks of sending domains: asked for once, made by a worker with no transaction open, and stored with their day."""

from datetime import timedelta

import pytest

from newsletter.doctor.domains import domain_checks
from newsletter.doctor.domains.dns import DnsAnswer, DnsResolver, LookupFailed
from newsletter.doctor.domains.domain_examiner import DomainExaminer
from newsletter.doctor.domains.verdicts import Level
from tests.builders import a_newsletter
from tests.clock import NOON

LATER = NOON + timedelta(minutes=1)


class SilentResolver:
    """Answers nothing, and writes to the database meanwhile, which a transaction left open would prevent."""

    def __init__(self, write=lambda: None) -> None:
        self.write = write

    def lookup(self, name: str, kind: str) -> DnsAnswer:
        self.write()
        raise LookupFailed("nothing")


def examiner(resolver) -> DomainExaminer:
    return DomainExaminer("https://letters.example", False, "mail.press.example", (), lambda: resolver)


def test_a_check_that_waits_is_asked_for_once_and_made_once(begin, reading):
    with begin() as session:
        newsletter = a_newsletter(session)

    def ask_again() -> None:
        with begin() as session:
            assert not domain_checks.request(session, newsletter.id, now=NOON)

    ask_again_during = examiner(SilentResolver(ask_again))
    assert not domain_checks.make_one(reading, begin, ask_again_during, now=NOON)
    with begin() as session:
        assert domain_checks.request(session, newsletter.id, now=NOON)
        assert not domain_checks.request(session, newsletter.id, now=LATER)
    assert domain_checks.make_one(reading, begin, ask_again_during, now=LATER)
    assert not domain_checks.make_one(reading, begin, ask_again_during, now=LATER)
    with begin() as session:
        check = domain_checks.last(session, [newsletter.id])[newsletter.id]
        assert (check.is_pending, check.checked_at) == (False, LATER)
        assert {verdict.level for verdict in check.found} == {Level.UNKNOWN}
        assert domain_checks.request(session, newsletter.id, now=LATER + timedelta(minutes=1))
        session.refresh(check)
        assert check.is_pending


def test_a_clock_set_back_leaves_no_check_pending_for_ever(begin, reading):
    with begin() as session:
        newsletter = a_newsletter(session)
        domain_checks.request(session, newsletter.id, now=LATER)
    assert domain_checks.make_one(reading, begin, examiner(SilentResolver()), now=NOON)
    assert not domain_checks.make_one(reading, begin, examiner(SilentResolver()), now=NOON)


def test_a_check_that_fails_is_told_and_not_repeated(begin, reading):
    def break_down() -> None:
        raise ZeroDivisionError

    with begin() as session:
        newsletter = a_newsletter(session)
        domain_checks.request(session, newsletter.id, now=NOON)
    assert domain_checks.make_one(reading, begin, examiner(SilentResolver(break_down)), now=NOON)
    with reading() as session:
        (verdict,) = domain_checks.last(session, [newsletter.id])[newsletter.id].found
    assert (verdict.level, verdict.check) == (Level.UNKNOWN, "check")
    assert not domain_checks.make_one(reading, begin, examiner(SilentResolver()), now=NOON)


def test_a_slow_dns_is_not_asked_longer_than_the_budget(zone):
    zone.put("press.example", TXT="v=spf1 -all")
    times = iter([0.0, 1.0, 20.0])
    resolver = DnsResolver("127.0.0.1", zone.port, budget=15, monotonic=lambda: next(times))
    assert resolver.lookup("press.example", "TXT").records == ("v=spf1 -all",)
    with pytest.raises(LookupFailed, match="too slow"):
        resolver.lookup("press.example", "MX")
