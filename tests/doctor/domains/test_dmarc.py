"""DMARC by RFC 9989: the tree walk, the organization, the policy and the verdicts."""

import pytest

from newsletter.doctor.domains import dmarc, dmarc_verdicts


@pytest.mark.parametrize(
    ("domain", "steps"),
    [
        ("example", ["example"]),
        ("mail.example.com", ["mail.example.com", "example.com", "com"]),
        ("a.b.c.d.e.f.g", ["a.b.c.d.e.f.g", "b.c.d.e.f.g", "c.d.e.f.g", "d.e.f.g", "e.f.g", "f.g", "g"]),
        (
            "a.b.c.d.e.f.g.h.i.j.mail.example.com",
            [
                "a.b.c.d.e.f.g.h.i.j.mail.example.com",
                "g.h.i.j.mail.example.com",
                "h.i.j.mail.example.com",
                "i.j.mail.example.com",
                "j.mail.example.com",
                "mail.example.com",
                "example.com",
                "com",
            ],
        ),
    ],
)
def test_the_walk_up_the_tree_has_at_most_eight_steps(domain, steps):
    assert dmarc.steps(domain) == steps


@pytest.mark.parametrize(
    ("records", "organization"),
    [
        ({"mail.example.com": "p=none", "example.com": "p=none"}, "example.com"),
        ({"mail.example.com": "p=none; psd=n"}, "mail.example.com"),
        ({"com": "p=reject; psd=y"}, "example.com"),
        ({"com": "p=reject"}, "com"),
        ({"a.mail.example.com": "p=none; psd=y", "example.com": "p=none"}, "a.mail.example.com"),
        ({"mail.example.com": "p=none; psd=n", "example.com": "p=none"}, "mail.example.com"),
        ({}, "a.mail.example.com"),
    ],
)
def test_the_organization_of_a_domain_is_found(zone, resolver, records, organization):
    publish(zone, records)
    assert dmarc.organization(resolver, "a.mail.example.com") == organization


def publish(zone, records) -> None:
    zone.put("a.mail.example.com", A="192.0.2.1")
    for domain, tags in records.items():
        zone.put(f"_dmarc.{domain}", TXT=f"v=DMARC1; {tags}")


@pytest.mark.parametrize(
    ("one", "strict", "relaxed"),
    [("example.com", False, True), ("mail.example.com", True, True), ("other.com", False, False)],
)
def test_domains_of_one_organization_align(zone, resolver, one, strict, relaxed):
    publish(zone, {"example.com": "p=none"})
    assert dmarc.aligned(resolver, one, "mail.example.com", strict=True) is strict
    assert dmarc.aligned(resolver, one, "mail.example.com", strict=False) is relaxed


def test_a_parent_without_a_record_is_another_organization(zone, resolver):
    publish(zone, {"mail.example.com": "p=none"})
    assert not dmarc.aligned(resolver, "example.com", "mail.example.com", strict=False)


def judged(resolver, domain="press.example", return_path="press.example"):
    return list(dmarc_verdicts.judge(resolver, domain, return_path=return_path))


def levels(resolver, **options):
    return [(str(each.level), each.check) for each in judged(resolver, **options)]


RUA = "rua=mailto:reports@press.example"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (f"v=DMARC1; p=reject; {RUA}", ["ok"]),
        (f"v=DMARC1;p=quarantine;{RUA};", ["ok"]),
        (f"v=DMARC1; p=none; {RUA}", ["advice"]),
        (f"v=DMARC1; {RUA}", ["advice"]),
        ("v=DMARC1; p=reject", ["ok", "advice"]),
        (f"v=DMARC1; p=reject; pct=50; rf=afrf; ri=86400; {RUA}", ["ok", "advice"]),
        (f"v=DMARC1; p=reject; t=y; {RUA}", ["ok", "advice"]),
        (f"v=DMARC1; p=reject; aspf=x; {RUA}", ["ok", "advice"]),
        ("v=DMARC1; p=nothing", ["wrong"]),
        ("v=DMARC1; p=none; sp=nothing", ["wrong"]),
        (f"v=DMARC1; p=nothing; {RUA}", ["advice"]),
    ],
)
def test_a_policy_is_judged(zone, resolver, record, expected):
    zone.put("_dmarc.press.example", TXT=record)
    found = judged(resolver)
    assert [str(each.level) for each in found if each.check == "dmarc"] == expected
    assert found[0].found == record


@pytest.mark.parametrize(
    "record", ["v=DMARC2; p=none", "v=dmarc1; p=none", "p=none; v=DMARC1", "v=DMARC1 p=none", "spf"]
)
def test_other_records_are_not_dmarc(zone, resolver, record):
    zone.put("_dmarc.press.example", TXT=record)
    (verdict,) = judged(resolver)
    assert verdict.level == "wrong"
    assert verdict.publish == "_dmarc.press.example  v=DMARC1; p=none; rua=mailto:postmaster@press.example"


def test_two_dmarc_records_are_wrong(zone, resolver):
    zone.put("_dmarc.press.example", TXT=["v=DMARC1; p=none", "v=DMARC1; p=reject"])
    zone.put("_dmarc.example", TXT="v=DMARC1; p=reject; psd=y")
    assert levels(resolver) == [("wrong", "dmarc")]


def test_the_policy_of_a_parent_applies_with_its_sp(zone, resolver):
    zone.put("letters.press.example", A="192.0.2.1")
    zone.put("_dmarc.press.example", TXT=f"v=DMARC1; p=reject; sp=none; {RUA}")
    first, alignment = judged(resolver, "letters.press.example", "bounces.press.example")
    assert (first.level, alignment.level) == ("advice", "ok")
    assert "found at press.example" in first.says


def test_a_return_path_that_does_not_align_is_advice(zone, resolver):
    zone.put("_dmarc.press.example", TXT=f"v=DMARC1; p=reject; aspf=s; {RUA}")
    assert levels(resolver, return_path="bounces.press.example") == [("ok", "dmarc"), ("advice", "alignment")]
    assert "d=press.example" in judged(resolver, return_path="relay.example")[-1].says


def test_a_failing_dns_is_unknown_and_not_missing(zone, resolver):
    zone.failing.add("_dmarc.press.example")
    assert levels(resolver) == [("unknown", "dmarc")]
