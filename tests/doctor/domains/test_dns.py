"""What has no answer is told apart from what could not be asked."""

import pytest

from newsletter.doctor.domains.dns import DnsAnswer, DnsResolver, Unanswered, reverse


def test_records_of_each_kind_are_text(zone, resolver):
    zone.put(
        "press.example",
        TXT=["v=spf1 -all", 'with "quotes"'],
        MX=["10 mx.press.example.", "20 Other.Example."],
        A="192.0.2.1",
        AAAA="2001:db8::1",
    )
    zone.put("1.2.0.192.in-addr.arpa", PTR="Mail.Press.Example.")
    assert resolver.ask("press.example", "TXT").records == ("v=spf1 -all", 'with "quotes"')
    assert resolver.ask("Press.Example.", "MX").records == ("10 mx.press.example", "20 other.example")
    assert resolver.ask("press.example", "A").records == ("192.0.2.1",)
    assert resolver.ask("press.example", "AAAA").records == ("2001:db8::1",)
    assert resolver.ask(reverse("192.0.2.1"), "PTR").records == ("mail.press.example",)


def test_a_name_without_such_records_exists_and_one_that_is_not_there_does_not(zone, resolver):
    zone.put("press.example", A="192.0.2.1")
    assert resolver.ask("press.example", "TXT") == DnsAnswer(())
    assert resolver.ask("other.example", "TXT") == DnsAnswer((), exists=False)


def test_an_alias_is_followed_and_told(zone, resolver):
    zone.put("a.example", CNAME="b.example")
    zone.put("b.example", TXT="here")
    assert resolver.ask("a.example", "TXT") == DnsAnswer(("here",), alias="b.example")


def test_what_is_too_long_for_a_datagram_is_asked_for_again_over_tcp(zone, resolver):
    zone.put("long.example", TXT="x" * 2000)
    assert resolver.ask("long.example", "TXT").records == ("x" * 2000,)
    assert zone.queries == [("long.example", "TXT")] * 2


def test_a_server_that_fails_and_one_that_keeps_silent_are_no_answer(zone, resolver):
    zone.failing.add("failing.example")
    zone.unanswered.add("silent.example")
    for name in ("failing.example", "silent.example"):
        with pytest.raises(Unanswered, match=name):
            resolver.ask(name, "TXT")


def test_nobody_to_ask_is_no_answer():
    with pytest.raises(Unanswered):
        DnsResolver("127.0.0.1", 9, patience=0.2, longest=0.4).ask("press.example", "TXT")


@pytest.mark.parametrize("name", ["a..b", "x" * 64 + ".example", ".".join(["label"] * 60)])
def test_what_is_no_name_is_no_answer(resolver, name):
    with pytest.raises(Unanswered):
        resolver.ask(name, "TXT")


def test_nothing_is_asked_twice(zone, resolver):
    zone.failing.add("failing.example")
    zone.put("press.example", A="192.0.2.1")
    for _ in range(2):
        resolver.ask("press.example", "A")
        with pytest.raises(Unanswered):
            resolver.ask("failing.example", "A")
    assert zone.queries == [("press.example", "A"), ("failing.example", "A")]
