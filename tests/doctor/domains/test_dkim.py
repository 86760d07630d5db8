"""DKIM keys are judged by whether receivers accept them."""

import pytest

from newsletter.doctor.domains import dkim, dkim_verdicts
from newsletter.doctor.domains.dkim import InvalidKey
from tests.doctor.domains.keys import BARE_2048, ED25519, RSA_768, RSA_1024, RSA_2048

NAME = "s1._domainkey.press.example"


def judged(resolver, selectors=("s1",)):
    return [(str(each.level), each.about) for each in dkim_verdicts.judge(resolver, "press.example", selectors)]


@pytest.mark.parametrize(
    ("record", "level"),
    [
        (f"v=DKIM1; k=rsa; p={RSA_2048}", "ok"),
        (f"k=rsa; t=s; p={RSA_2048}", "ok"),
        (f"p={RSA_2048};", "ok"),
        (f"v=DKIM1; h=sha1:sha256; p={RSA_2048}", "ok"),
        (f"v=DKIM1; p={RSA_2048[:80]} {RSA_2048[80:]}", "ok"),
        (f"v=DKIM1; p={BARE_2048}", "ok"),
        (f"v=DKIM1; p={RSA_1024}", "advice"),
        (f"v=DKIM1; k=ed25519; p={ED25519}", "advice"),
        (f"v=DKIM1; p={RSA_768}", "wrong"),
        (f"v=DKIM1; t=y; p={RSA_2048}", "wrong"),
        (f"v=DKIM1; t=y:s; p={RSA_2048}", "wrong"),
        (f"v=DKIM1; h=sha1; p={RSA_2048}", "wrong"),
        ("v=DKIM1; p=", "wrong"),
        ("v=DKIM1; k=rsa", "wrong"),
        (f"v=DKIM2; p={RSA_2048}", "wrong"),
        (f"v=DKIM1; p={RSA_2048[:200]}", "wrong"),
        (f"v=DKIM1; p={ED25519}", "wrong"),
        ("v=DKIM1; p=!!!!", "wrong"),
        (f"v=DKIM1; k=dsa; p={RSA_2048}", "wrong"),
        ("no tags at all", "wrong"),
    ],
)
def test_a_dkim_key_is_judged(zone, resolver, record, level):
    zone.put(NAME, TXT=record)
    assert judged(resolver) == [(level, NAME)]
    (verdict,) = dkim_verdicts.judge(resolver, "press.example", ["s1"])
    assert verdict.found == record
    assert bool(verdict.publish) == (level != "ok")


@pytest.mark.parametrize(("key", "bits"), [(RSA_768, 768), (RSA_1024, 1024), (RSA_2048, 2048), (BARE_2048, 2048)])
def test_the_length_of_a_key(key, bits):
    assert dkim.read(f"v=DKIM1; p={key}").bits == bits


def test_a_truncated_key_is_invalid():
    for end in range(4, len(RSA_1024), 4):
        with pytest.raises(InvalidKey):
            dkim.read(f"v=DKIM1; p={RSA_1024[:end]}")


def test_a_named_selector_without_a_key_is_wrong(zone, resolver):
    zone.put("press.example", A="192.0.2.1")
    assert judged(resolver) == [("wrong", NAME)]


def test_an_alias_without_a_key_is_wrong(zone, resolver):
    zone.put(NAME, CNAME="gone.relay.example")
    (verdict,) = dkim_verdicts.judge(resolver, "press.example", ["s1"])
    assert verdict.level == "wrong"


def test_two_records_are_wrong(zone, resolver):
    zone.put(NAME, TXT=[f"v=DKIM1; p={RSA_2048}", f"v=DKIM1; p={RSA_1024}"])
    assert judged(resolver) == [("wrong", NAME)]


def test_the_common_selectors_are_tried_if_none_is_named(zone, resolver):
    zone.put(NAME, TXT=f"v=DKIM1; p={RSA_2048}")
    zone.put("default._domainkey.press.example", TXT="v=DKIM1; p=")
    assert judged(resolver, ()) == [("ok", NAME)]


def test_no_key_at_the_common_selectors_is_unknown(zone, resolver):
    zone.put("press.example", A="192.0.2.1")
    assert judged(resolver, ()) == [("unknown", "press.example")]


def test_a_revoked_key_alone_is_wrong(zone, resolver):
    zone.put("default._domainkey.press.example", TXT="v=DKIM1; p=")
    assert judged(resolver, ()) == [("wrong", "default._domainkey.press.example")]


def test_a_failing_dns_is_unknown(zone, resolver):
    zone.failing |= {NAME, "default._domainkey.press.example"}
    assert judged(resolver) == [("unknown", NAME)]
    assert judged(resolver, ()) == [("unknown", "default._domainkey.press.example")]
