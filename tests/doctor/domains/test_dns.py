"""A missing record and a failed lookup are different answers."""

import pytest

from newsletter.doctor.domains.dns import DnsAnswer, DnsResolver, LookupFailed, reverse


def test_records_of_each_kind_are_returned_as_text(zone, resolver):
    zone.put(
        "press.example",
        TXT=["v=spf1 -all", 'with "quotes"'],
        MX=["10 mx.press.example.", "20 Other.Example."],
        A="192.0.2.1",
        AAAA="2001:db8::1",
    )
    zone.put("1.2.0.192.in-addr.arpa", PTR="Mail.Press.Example.")
    assert resolver.lookup("press.example", "TXT").records == ("v=spf1 -all", 'with "quotes"')
    assert resolver.lookup("Press.Example.", "MX").records == ("10 mx.press.example", "20 other.example")
    assert resolver.lookup("press.example", "A").records == ("192.0.2.1",)
    assert resolver.lookup("press.example", "AAAA").records == ("2001:db8::1",)
    assert resolver.lookup(reverse("192.0.2.1"), "PTR").records == ("mail.press.example",)


def test_a_name_without_such_records_differs_from_a_missing_name(zone, resolver):
    zone.put("press.example", A="192.0.2.1")
    assert resolver.lookup("press.example", "TXT") == DnsAnswer(())
    assert resolver.lookup("other.example", "TXT") == DnsAnswer((), exists=False)


def test_an_alias_is_followed_and_returned(zone, resolver):
    zone.put("a.example", CNAME="b.example")
    zone.put("b.example", TXT="here")
    assert resolver.lookup("a.example", "TXT") == DnsAnswer(("here",), alias="b.example")


def test_a_truncated_answer_is_looked_up_again_over_tcp(zone, resolver):
    zone.put("long.example", TXT="x" * 2000)
    assert resolver.lookup("long.example", "TXT").records == ("x" * 2000,)
    assert zone.queries == [("long.example", "TXT")] * 2


def test_a_failing_and_a_silent_server_are_failed_lookups(zone, resolver):
    zone.failing.add("failing.example")
    zone.unanswered.add("silent.example")
    hasty = DnsResolver("127.0.0.1", zone.port, try_timeout=0.2, timeout=0.4)
    for one, name in ((resolver, "failing.example"), (hasty, "silent.example")):
        with pytest.raises(LookupFailed, match=name):
            one.lookup(name, "TXT")


def test_an_unreachable_server_is_a_failed_lookup():
    with pytest.raises(LookupFailed):
        DnsResolver("127.0.0.1", 9, try_timeout=0.2, timeout=0.4).lookup("press.example", "TXT")


@pytest.mark.parametrize("name", ["a..b", "x" * 64 + ".example", ".".join(["label"] * 60)])
def test_an_invalid_name_is_a_failed_lookup(resolver, name):
    with pytest.raises(LookupFailed):
        resolver.lookup(name, "TXT")


def test_answers_and_failures_are_cached(zone, resolver):
    zone.failing.add("failing.example")
    zone.put("press.example", A="192.0.2.1")
    for _ in range(2):
        resolver.lookup("press.example", "A")
        with pytest.raises(LookupFailed):
            resolver.lookup("failing.example", "A")
    assert zone.queries == [("press.example", "A"), ("failing.example", "A")]
