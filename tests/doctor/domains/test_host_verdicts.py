"""MX, PTR and the assessment of all domains of a newsletter."""

from ipaddress import ip_address

import pytest

from newsletter.doctor.domains import assessment, host_verdicts
from newsletter.doctor.domains.assessment import Domains
from newsletter.doctor.domains.dns import reverse
from newsletter.relays import Relay
from tests.doctor.domains.keys import RSA_2048


def mx(resolver):
    return [str(each.level) for each in host_verdicts.mx(resolver, "press.example", mail="replies")]


def test_mail_servers_with_addresses_are_ok(zone, resolver):
    zone.put("press.example", MX=["10 one.example.", "20 two.example."])
    zone.put("one.example", A="192.0.2.1")
    zone.put("two.example", AAAA="2001:db8::1")
    assert mx(resolver) == ["ok"]


@pytest.mark.parametrize(
    ("records", "level"),
    [
        ({"MX": "0 ."}, "wrong"),
        ({"MX": "10 gone.example."}, "wrong"),
        ({"MX": "10 alias.example."}, "wrong"),
        ({"MX": "10 192.0.2.1."}, "wrong"),
        ({"A": "192.0.2.1"}, "advice"),
        ({"AAAA": "2001:db8::1"}, "advice"),
        ({"TXT": "nothing else"}, "wrong"),
    ],
)
def test_unusable_mail_servers_are_judged(zone, resolver, records, level):
    zone.put("press.example", **records)
    zone.put("alias.example", CNAME="one.example")
    zone.put("one.example", A="192.0.2.1")
    assert mx(resolver) == [level]


def test_a_missing_domain_is_wrong(zone, resolver):
    assert mx(resolver) == ["wrong"]


def test_a_failing_dns_is_unknown(zone, resolver):
    zone.put("press.example", MX="10 one.example.")
    zone.failing.add("one.example")
    assert mx(resolver) == ["unknown"]


@pytest.mark.parametrize(
    ("name", "address", "own", "other"),
    [
        ("mail.press.example.", "192.0.2.25", "ok", "ok"),
        ("mail.press.example.", "192.0.2.26", "wrong", "unknown"),
        (None, "192.0.2.25", "wrong", "unknown"),
    ],
)
def test_the_name_of_an_address_must_resolve_back_to_it(zone, resolver, name, address, own, other):
    zone.put("mail.press.example", A=address)
    if name:
        zone.put(reverse("192.0.2.25"), PTR=name)
    for is_own, level in ((True, own), (False, other)):
        assert host_verdicts.ptr(resolver, ip_address("192.0.2.25"), by="the relay", is_own=is_own).level == level


def test_a_failing_reverse_zone_is_unknown(zone, resolver):
    zone.failing.add(reverse("2001:db8::25"))
    assert host_verdicts.ptr(resolver, ip_address("2001:db8::25"), by="us", is_own=True).level == "unknown"


def test_an_address_belongs_to_this_machine_if_it_can_bind_to_it():
    assert assessment.belongs_to_this_machine(ip_address("127.0.0.1"))
    assert not assessment.belongs_to_this_machine(ip_address("192.0.2.1"))


def publish_correct_records(zone) -> None:
    """Publish correct records everywhere."""
    zone.put("press.example", TXT="v=spf1 a:mail.relay.example -all", MX="10 mail.press.example.")
    zone.put("bounces.press.example", TXT="v=spf1 a:mail.relay.example -all", MX="10 mail.press.example.")
    zone.put("mail.press.example", A="198.51.100.1")
    zone.put("mail.relay.example", A="192.0.2.25")
    zone.put(reverse("192.0.2.25"), PTR="mail.relay.example.")
    zone.put("s1._domainkey.press.example", TXT=f"v=DKIM1; p={RSA_2048}")
    zone.put("_dmarc.press.example", TXT="v=DMARC1; p=reject; rua=mailto:reports@press.example")


def examined(resolver, **options):
    relay = Relay(host="mail.relay.example", port=587)
    domains = Domains("press.example", "press.example", "bounces.press.example")
    options = {"relays": [relay], "ehlo_name": "letters.press.example", **options}
    return list(assessment.examine(resolver, domains, **options))


def test_a_correct_domain_is_ok(zone, resolver):
    publish_correct_records(zone)
    found = examined(resolver)
    assert {str(each.level) for each in found} == {"ok"}
    assert [each.check for each in found] == [
        "spf",
        "spf-relay",
        "spf",
        "dkim",
        "dmarc",
        "alignment",
        "mx",
        "mx",
        "ptr",
    ]


def test_spf_of_the_domain_in_from_is_only_advice_with_a_return_path_domain(zone, resolver):
    publish_correct_records(zone)
    zone.put("press.example", TXT="v=spf1 +all")
    assert [(each.check, str(each.level), each.about) for each in examined(resolver) if each.level != "ok"] == [
        ("spf", "advice", "press.example")
    ]


def test_the_mx_of_the_sender_is_checked_even_if_replies_go_elsewhere(zone, resolver):
    publish_correct_records(zone)
    zone.put("answers.example", MX="0 .")
    zone.put("press.example", TXT="v=spf1 a:mail.relay.example -all", MX="10 mail.press.example.")
    domains = Domains("press.example", "answers.example", None)
    found = list(assessment.examine(resolver, domains, relays=[], ehlo_name="letters.press.example"))
    assert [(each.about, str(each.level)) for each in found if each.check == "mx"] == [
        ("press.example", "ok"),
        ("answers.example", "wrong"),
    ]


def test_without_a_relay_the_sending_addresses_are_unknown(zone, resolver):
    publish_correct_records(zone)
    found = examined(resolver, relays=[])
    assert [each.check for each in found if each.level == "unknown"] == ["spf-relay"]


def test_a_relay_on_this_machine_sends_from_the_addresses_of_this_machine(zone, resolver):
    publish_correct_records(zone)
    zone.put("letters.press.example", A="203.0.113.9")
    found = examined(resolver, relays=[Relay(host="127.0.0.1", port=25)])
    assert [(each.check, str(each.level)) for each in found if each.level != "ok"] == [
        ("spf-relay", "wrong"),
        ("ptr", "wrong"),
    ]


def test_a_relay_without_an_address_is_wrong(zone, resolver):
    publish_correct_records(zone)
    zone.remove("mail.relay.example")
    assert ("addresses", "wrong") in [(each.check, str(each.level)) for each in examined(resolver)]


def test_nothing_is_called_missing_if_every_lookup_fails(zone, resolver):
    publish_correct_records(zone)
    zone.failing |= {*zone.names, *(f"{name}" for name in ("default._domainkey.press.example",))}
    zone.failing.add("_dmarc.press.example")
    assert {str(each.level) for each in examined(resolver)} == {"unknown"}
