"""SPF is evaluated as receivers do, with their limits, and judged."""

from ipaddress import ip_address

import pytest

from newsletter.doctor.domains import spf, spf_verdicts
from newsletter.doctor.domains.spf import Evaluation, PermError
from tests.waiting import TIMEOUT

RELAY = ip_address("192.0.2.25")


def result(resolver, address="192.0.2.25", domain="press.example") -> str:
    return Evaluation(resolver, ip_address(address)).result(domain)


@pytest.mark.parametrize(
    ("record", "address", "expected"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", "192.0.2.25", "pass"),
        ("v=spf1 ip4:192.0.2.0/24 -all", "198.51.100.1", "fail"),
        ("v=spf1 ip4:192.0.2.25 ~all", "192.0.2.26", "softfail"),
        ("v=spf1 ?ip4:192.0.2.25 -all", "192.0.2.25", "neutral"),
        ("v=spf1 -ip4:192.0.2.25 +all", "192.0.2.25", "fail"),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8::25", "pass"),
        ("v=spf1 ip6:2001:db8::/32 -all", "192.0.2.25", "fail"),
        ("v=spf1 a -all", "192.0.2.1", "pass"),
        ("v=spf1 a/24 -all", "192.0.2.99", "pass"),
        ("v=spf1 a//64 -all", "2001:db8::99", "pass"),
        ("v=spf1 a:mail.press.example/28 -all", "198.51.100.9", "pass"),
        ("v=spf1 mx -all", "198.51.100.7", "pass"),
        ("v=spf1 mx:press.example -all", "198.51.100.8", "fail"),
        ("v=spf1 include:ok.example -all", "203.0.113.1", "pass"),
        ("v=spf1 include:ok.example -all", "203.0.113.2", "fail"),
        ("v=spf1 redirect=ok.example", "203.0.113.1", "pass"),
        ("v=spf1 redirect=ok.example", "203.0.113.2", "fail"),
        ("v=spf1 -all redirect=ok.example", "203.0.113.1", "fail"),
        ("v=spf1 exists:mail.press.example -all", "203.0.113.2", "pass"),
        ("v=spf1 exists:%{i}.press.example -all", "203.0.113.2", "fail"),
        ("v=spf1", "192.0.2.25", "neutral"),
        ("v=spf1 ip4:192.0.2.25 exp=why.press.example moo=x -all", "192.0.2.25", "pass"),
        ("V=SPF1 IP4:192.0.2.25 -ALL", "192.0.2.25", "pass"),
    ],
)
def test_a_record_gives_a_result_for_an_address(zone, resolver, record, address, expected):
    zone.put("press.example", TXT=record, A="192.0.2.1", AAAA="2001:db8::1", MX="10 mail.press.example.")
    zone.put("mail.press.example", A="198.51.100.7")
    zone.put("ok.example", TXT="v=spf1 ip4:203.0.113.1 -all")
    assert result(resolver, address) == expected


def test_other_txt_records_are_ignored(zone, resolver):
    zone.put("press.example", TXT=["v=spf10 -all", "google-site-verification=x", "v=spf1x"])
    assert result(resolver) == "none"


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 ipv4:192.0.2.1 -all",
        "v=spf1 ip4:192.0.2.300 -all",
        "v=spf1 ip4:2001:db8::1 -all",
        "v=spf1 ip4 -all",
        "v=spf1 include: -all",
        "v=spf1 include:nothing.example -all",
        "v=spf1 redirect=nothing.example",
        "v=spf1 redirect=a.example redirect=b.example",
        "v=spf1 include:press.example -all",
        "v=spf1 ~~all",
    ],
)
def test_a_broken_record_is_wrong(zone, resolver, record):
    zone.put("press.example", TXT=record)
    with pytest.raises(PermError):
        result(resolver)
    assert levels(resolver) == [("wrong", "spf")]


@pytest.mark.parametrize("mechanism", ["x" * 100, f"ip4:{'1' * 100}"])
def test_a_long_mechanism_is_quoted_with_a_sign_where_it_was_cut(zone, resolver, mechanism):
    zone.put("press.example", TXT=f"v=spf1 {mechanism} -all")
    with pytest.raises(PermError, match=f"“{mechanism[:80]}…”"):
        result(resolver)


def test_more_than_ten_lookups_are_wrong(zone, resolver):
    zone.put("press.example", TXT="v=spf1 " + " ".join(f"include:{n}.example" for n in range(11)) + " -all")
    for n in range(11):
        zone.put(f"{n}.example", TXT="v=spf1 ip4:198.51.100.1 -all")
    with pytest.raises(PermError, match="more than 10"):
        result(resolver)
    verdict = judged(resolver)[0]
    assert verdict.level == "wrong"
    assert "11 DNS lookups" in verdict.says
    zone.put("press.example", TXT="v=spf1 " + " ".join(f"include:{n}.example" for n in range(10)) + " -all")


def test_up_to_ten_lookups_are_allowed_at_any_depth(zone, resolver):
    zone.put(
        "press.example",
        TXT="v=spf1 a mx ptr exists:press.example include:one.example ip4:192.0.2.25 -all",
        A="192.0.2.1",
    )
    zone.put("one.example", TXT="v=spf1 include:two.example a:press.example a:press.example a:press.example -all")
    zone.put("two.example", TXT="v=spf1 ip4:198.51.100.1 ?all")
    counting = Evaluation(resolver)
    counting.result("press.example")
    assert (counting.lookups, counting.voids) == (9, 1)  # the lookup of mx is void
    assert result(resolver) == "pass"


def test_missing_names_count_as_void_lookups(zone, resolver):
    zone.put("press.example", TXT="v=spf1 a:x.example a:y.example mx:z.example -all")
    verdict = judged(resolver)[0]
    assert (verdict.level, verdict.says[:2]) == ("wrong", "3 ")


def test_an_mx_of_more_than_ten_hosts_cannot_be_used(zone, resolver):
    zone.put("press.example", TXT="v=spf1 mx -all", MX=[f"10 m{n}.example." for n in range(11)])
    with pytest.raises(PermError, match="more than 10 hosts"):
        result(resolver)


def judged(resolver, senders=(RELAY,), *, are_own=False):
    return list(spf_verdicts.judge(resolver, "press.example", senders, by="mail.example.org", are_own=are_own))


def levels(resolver, **options):
    return [(str(each.level), each.check) for each in judged(resolver, **options)]


def test_a_missing_record_is_wrong_and_one_is_proposed(zone, resolver):
    zone.put("press.example", A="192.0.2.1")
    (verdict,) = judged(resolver, [ip_address("9.9.9.9")])
    assert (verdict.level, verdict.found, verdict.publish) == ("wrong", None, "v=spf1 ip4:9.9.9.9 ~all")


def test_two_records_are_wrong(zone, resolver):
    zone.put("press.example", TXT=["v=spf1 -all", "v=spf1 a -all"])
    (verdict,) = judged(resolver)
    assert (verdict.level, verdict.found) == ("wrong", "v=spf1 -all | v=spf1 a -all")


@pytest.mark.parametrize(
    ("record", "level"),
    [
        ("v=spf1 ip4:192.0.2.25 -all", "ok"),
        ("v=spf1 ip4:192.0.2.25 ~all", "ok"),
        ("v=spf1 ip4:192.0.2.25 ?all", "advice"),
        ("v=spf1 ip4:192.0.2.25", "advice"),
        ("v=spf1 +all", "wrong"),
        ("v=spf1 all", "wrong"),
        ("v=spf1 ip4:192.0.2.25 redirect=end.example", "ok"),
    ],
)
def test_the_end_of_a_record_is_judged(zone, resolver, record, level):
    zone.put("press.example", TXT=record)
    zone.put("end.example", TXT="v=spf1 ~all")
    assert levels(resolver)[0] == (level, "spf")


def test_an_allowed_relay_is_ok(zone, resolver):
    zone.put("press.example", TXT="v=spf1 ip4:192.0.2.25 -all")
    assert levels(resolver) == [("ok", "spf"), ("ok", "spf-relay")]


def test_an_address_not_allowed_is_unknown_for_a_foreign_relay_and_wrong_for_our_own(zone, resolver):
    zone.put("press.example", TXT="v=spf1 ip4:198.51.100.1 -all")
    assert levels(resolver) == [("ok", "spf"), ("unknown", "spf-relay")]
    assert levels(resolver, are_own=True) == [("ok", "spf"), ("wrong", "spf-relay")]


def test_a_failing_dns_is_unknown_and_not_missing(zone, resolver):
    zone.failing.add("press.example")
    assert levels(resolver) == [("unknown", "spf")]
    zone.failing.clear()
    zone.failing.add("include.example")
    other = type(resolver)("127.0.0.1", zone.port, try_timeout=TIMEOUT, timeout=TIMEOUT)
    zone.put("press.example", TXT="v=spf1 include:include.example -all")
    assert levels(other) == [("unknown", "spf")]


def test_ptr_is_advised_against(zone, resolver):
    zone.put("press.example", TXT="v=spf1 ptr ip4:192.0.2.25 -all")
    assert levels(resolver) == [("ok", "spf"), ("advice", "spf"), ("ok", "spf-relay")]


def test_a_redirect_loop_ends(zone, resolver):
    zone.put("press.example", TXT="v=spf1 redirect=press.example")
    assert spf.ending(resolver, "press.example") is None
