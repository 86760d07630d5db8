"""Inboxes: which addresses are spellings of one inbox."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from newsletter import addresses
from newsletter.consent.limits import inboxes
from newsletter.consent.limits.inboxes import Inbox
from newsletter.keys import Keyring

NEW, OLD = ("k2", "n" * 40), ("k1", "o" * 40)
KEYRING = Keyring([NEW, OLD])
YAHOO_DOMAINS = ("yahoo.com", "yahoo.fr", "yahoo.co.uk", "yahoo.co.id", "yahoo.com.br", "ymail.com", "rocketmail.com")


def inbox_of(written: str) -> Inbox:
    return inboxes.inbox(addresses.parse(written).key)


def spellings(*written: str) -> set[str]:
    """Return the keys of the inboxes that these addresses reach."""
    return {inbox_of(each).key for each in written}


@pytest.mark.parametrize(
    "written",
    [
        # any domain: case and +tag
        ("ana@example.org", "ANA@Example.ORG", "ana+news@example.org", "Ana+a+b@example.org", "ana+@example.org"),
        ("ana@straße.example", "ana+x@xn--strae-oqa.example"),
        # Gmail
        ("ana.maria@gmail.com", "anamaria@gmail.com", "a.n.a.m.a.r.i.a@googlemail.com", "AnaMaria+x.y@GoogleMail.com"),
        # Microsoft
        *((f"ana@{domain}", f"ana+news@{domain}") for domain in ("outlook.com", "hotmail.com", "live.com", "msn.com")),
        # Apple
        ("ana@icloud.com", "ana@me.com", "ana@mac.com", "ana+news@me.com"),
        # Yahoo
        *((f"ana@{domain}", f"ana-shop@{domain}", f"ana-a-b@{domain}", f"ana+x@{domain}") for domain in YAHOO_DOMAINS),
        # Proton
        ("ana.maria@proton.me", "ana-maria@protonmail.com", "ana_maria@pm.me", "anamaria+news@protonmail.ch"),
        # Yandex
        (
            "ana.maria@yandex.ru",
            "ana-maria@ya.ru",
            "ana.maria@yandex.com",
            "ana-maria+x@yandex.by",
            "ana.maria@yandex.kz",
        ),
        # Fastmail
        ("ana@fastmail.com", "ana+news@fastmail.com", "news@ana.fastmail.com", "any.thing+else@ana.fastmail.com"),
        ("ana_maria@fastmail.fm", "news@ana-maria.fastmail.fm"),
        ("ana@fastmail.co.uk", "news@ana.fastmail.co.uk"),
        # Zoho, Mail.ru
        *((f"ana@{domain}", f"ana+news@{domain}") for domain in ("zoho.com", "mail.ru", "inbox.ru")),
    ],
    ids=lambda written: written[0],
)
def test_spellings_that_the_provider_documents_reach_one_inbox(written):
    assert len(spellings(*written)) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ana@example.org", "ana@example.com"),
        ("ana@example.org", "anna@example.org"),
        ("ana.maria@example.org", "anamaria@example.org"),  # also if Google hosts the domain
        ("ana-maria@example.org", "ana@example.org"),
        ("ana_maria@example.org", "anamaria@example.org"),
        ("news@ana.example.org", "ana@example.org"),
        ("ana.maria@outlook.com", "anamaria@outlook.com"),
        ("ana@outlook.com", "ana@hotmail.com"),
        ("ana-maria@gmail.com", "ana@gmail.com"),
        ("ana.maria@icloud.com", "anamaria@icloud.com"),
        ("ana.maria@yahoo.com", "anamaria@yahoo.com"),
        ("ana@yahoo.com", "ana@yahoo.co.uk"),
        ("ana@yahoo.com", "ana@ymail.com"),
        ("ana-maria@yahoo.co.jp", "ana@yahoo.co.jp"),  # another company
        # domains that only look like Yahoo's
        *(
            (f"ana-maria@{domain}", f"ana@{domain}")
            for domain in (
                "myahoo.com",
                "yahoo.example",
                "yahoo.net",
                "yahoo.com.example",
                "x.yahoo.com",
                "yahoo-mail.fr",
            )
        ),
        ("news@ana.fastmail.example", "ana@fastmail.example"),
        ("ana.maria@yandex.ru", "anamaria@yandex.ru"),
        ("ana.maria@fastmail.com", "anamaria@fastmail.com"),
        ("ana@fastmail.com", "ana@fastmail.fm"),
        ("news@ana.fastmail.com", "news@fastmail.com"),
        ("news@ana.gmail.com", "ana@gmail.com"),
        ("ana@mail.ru", "ana@inbox.ru"),
        ("ana.maria@gmx.de", "anamaria@gmx.de"),
        ("ana@gmx.de", "ana@gmx.net"),
        ("ana.maria@zoho.com", "anamaria@zoho.com"),
        ("ana@tuta.com", "ana@tutanota.com"),
        ("weiß@example.org", "weiss@example.org"),
        ("+ana@example.org", "+eve@example.org"),
    ],
)
def test_addresses_that_may_be_two_people_stay_apart(one, other):
    assert len(spellings(one, other)) == 2


@pytest.mark.parametrize(
    ("written", "is_tagged"),
    [
        ("ana@example.org", False),
        ("ANA@example.org", False),
        ("ana+x@example.org", True),
        ("+ana@example.org", False),
        ("a.n.a@gmail.com", False),
        ("a.n.a+x@googlemail.com", True),
        ("ana@yahoo.com", False),
        ("ana-x@yahoo.com", True),
        ("ana-x@example.org", False),
        ("ana@fastmail.com", False),
        ("x@ana.fastmail.com", True),
        ("x@ana.example.org", False),
        ("ana-maria@proton.me", False),
    ],
)
def test_a_spelling_with_a_tag_is_told_from_one_without(written, is_tagged):
    assert inbox_of(written).is_tagged is is_tagged


DOMAINS = sorted({*inboxes.RULES, *YAHOO_DOMAINS})
domain_names = st.sampled_from([*DOMAINS, "example.org", "x.example.org", "ana.fastmail.com", "a-n-a.eml.cc"])
names = st.text("ab.-_+é", min_size=1, max_size=12)
plain_names = st.text("abc0", min_size=1, max_size=8)
tags = st.text("xyz.-_+", max_size=6)


@given(names, domain_names)
def test_folding_an_inboxes_key_again_changes_nothing_and_never_empties_the_name(name, domain):
    key, _ = inboxes.inbox(f"{name}@{domain}")
    assert inboxes.inbox(key) == (key, False)
    assert key.rpartition("@")[0]


@given(plain_names, tags, domain_names)
def test_a_tag_never_leads_to_another_inbox(name, tag, domain):
    assert inboxes.inbox(f"{name}+{tag}@{domain}").key == inboxes.inbox(f"{name}@{domain}").key


@given(plain_names, st.data(), st.sampled_from(DOMAINS))
def test_two_spellings_by_one_rule_fold_alike(name, data, domain):
    rule = inboxes.rule_of(domain)
    signs = st.text(rule.ignored, max_size=3) if rule.ignored else st.just("")
    spelled = "".join(character + data.draw(signs) for character in name)
    separator = data.draw(st.sampled_from(rule.separators))
    tagged = f"{spelled}{separator}{data.draw(tags)}@{domain}"
    assert inboxes.inbox(tagged) == (inboxes.inbox(f"{name}@{domain}").key, True)
    if rule.tag_comes_first:
        assert inboxes.inbox(f"{data.draw(plain_names)}@{name}.{domain}") == (f"{name}@{domain}", True)
    if rule.domain:
        assert inboxes.inbox(f"{name}@{rule.domain}").key == inboxes.inbox(f"{name}@{domain}").key
    for sign in rule.same:
        assert inboxes.inbox(f"a{sign}{name}@{domain}") == inboxes.inbox(f"a{rule.same[0]}{name}@{domain}")


@given(plain_names, plain_names, domain_names)
def test_different_names_at_a_provider_stay_apart(one, other, domain):
    assume(one != other and not domain.startswith(("ana.", "a-n-a.")))
    assert inboxes.inbox(f"{one}@{domain}").key != inboxes.inbox(f"{other}@{domain}").key


def test_a_fold_names_its_key_and_reveals_nothing():
    ana = inbox_of("ana@example.org").key
    new, old = inboxes.fold(KEYRING, ana), inboxes.fold(KEYRING, ana, key="k1")
    assert new.startswith("k2:")
    assert old == inboxes.fold(Keyring([OLD]), ana)
    assert new[3:] != old[3:]
    assert "ana" not in new
    assert len(new) <= 64
    assert new[3:] != addresses.fingerprint(KEYRING, "ana@example.org")[3:], "inboxes and addresses cannot be joined"
    with pytest.raises(KeyError):
        inboxes.fold(KEYRING, ana, key="k3")
