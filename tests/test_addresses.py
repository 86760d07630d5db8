"""Addresses: which are valid, which are equal, and how they are masked."""

from xml.etree import ElementTree as ET

import pytest
from email_validator import validate_email
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.provisional import domains

from newsletter import addresses
from newsletter.addresses import Address
from newsletter.errors import Malformed
from newsletter.keys import Keyring
from tests.shared_data import shared

NEW, OLD = ("k2", "n" * 40), ("k1", "o" * 40)
KEYRING = Keyring([NEW, OLD])

# isemail's category says how an address deviates from RFC 5321 and RFC 5322; DNSWARN ones are only not in the DNS.
# We refuse comments, folding white space, quotes, literals and deprecated forms: nobody signs up with them, and each is
# another spelling of the same address. Exceptions from these categories:
TAKEN = {"ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN"}
REFUSED_ALTHOUGH_VALID = {"test@io": "a domain without a dot is a typing slip"}
ATEXT = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~"


def isemail() -> list[tuple[str, str]]:
    """Return its addresses and categories. The file represents control characters by U+24xx."""
    tests = ET.parse(shared("addresses/isemail-tests.xml")).iter("test")  # noqa: S314 - a file that we know
    pictures = {0x2400 + code: code for code in (*range(0x21), 0x7F)}
    return [((test.findtext("address") or "").translate(pictures), test.findtext("category")) for test in tests]


def takes(value: str) -> bool:
    try:
        addresses.parse(value)
    except Malformed:
        return False
    return True


def test_addresses_are_judged_as_isemail_does_after_white_space_is_stripped():
    cases = isemail()
    assert len(cases) == 164
    for value, category in cases:
        blanks_around = value.strip() == "test@iana.org"
        expected = value not in REFUSED_ALTHOUGH_VALID and (category in TAKEN or blanks_around)
        assert takes(value) == expected, (value, category)
        if blanks_around:
            assert addresses.parse(value) == Address("test@iana.org", "test@iana.org")


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "ana", "@", "ana@", "@example.org", "ana@@example.org", "ana@example", "ana@localhost"),
        *(
            "Ana <ana@example.org>",
            "<ana@example.org>",
            "ana(me)@example.org",
            '"ana"@example.org',
            '"a b"@example.org',
        ),
        *("ana@[192.0.2.1]", "ana@[IPv6:2001:db8::1]", "ana@192.0.2.1", "ana@example.org,eve@example.org"),
        *("ana@example.org\r\nBcc: eve@example.org", "ana\n@example.org", "ana@exa\x00mple.org", "ana@example.org."),
        *("ana..b@example.org", ".ana@example.org", "ana.@example.org", "ana@-example.org", "ana@ex_ample.org"),
        *("ana@☃.net", "\u202eana@example.org", "a\u200bna@example.org", "ana@exam\u00adple.org", "\ud800@example.org"),
        *("ana@example.invalid", "ana@printer.local"),
    ],
)
def test_an_invalid_address_is_refused_with_a_printable_message(value):
    with pytest.raises(Malformed, match=r"e-mail address|whole address") as refused:
        addresses.parse(value, field="sender")
    assert refused.value.field == "sender"
    assert str(refused.value).isprintable()


def test_very_long_input_is_refused_with_a_short_message():
    for value in ("a" * 60_000 + "@example.org", "ana@" + "a." * 30_000 + "org", "@" * 60_000, "\n" * 9 + "é" * 60_000):
        with pytest.raises(Malformed) as refused:
            addresses.parse(value)
        assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("value", "written", "key"),
    [
        ("ana@straße.de", "ana@straße.de", "ana@xn--strae-oqa.de"),  # IDNA 2008; in 2003 it was strasse.de
        ("ana@faß.de", "ana@faß.de", "ana@xn--fa-hia.de"),
        ("ana@XN--FA-HIA.DE", "ana@faß.de", "ana@xn--fa-hia.de"),
        ("Ana@MÜLLER.Example", "Ana@müller.example", "ana@xn--mller-kva.example"),
        ("ana@例え。jp", "ana@例え.jp", "ana@xn--r8jz45g.jp"),
        ("用户@例子.广告", "用户@例子.广告", "用户@xn--fsqu00a.xn--4rr70v"),
        ("Ana.Maria+News@Example.ORG", "Ana.Maria+News@example.org", "ana.maria+news@example.org"),
        ("Zoe\u0308@example.org", "Zoë@example.org", "zoë@example.org"),  # one letter, however it was typed
    ],
)
def test_an_address_is_stored_as_typed_and_compared_by_its_key(value, written, key):
    assert addresses.parse(value) == Address(written, key)


UNSEEN = "\u00ad\u200b\u200d\u200e\u200f\u2060\u2068\u2069\ufeff\u202a\u202c\u00a0\u3000 \t\r\n"
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("ａｎａ＠ｅｘａｍｐｌｅ．ｃｏｍ", "ana@example.com"),  # noqa: RUF001 - as the next ones
        ("Ａｎａ．Ｍ－１＋ｎｅｗｓ＠Ｅｘａｍｐｌｅ．ｃｏｍ", "Ana.M-1+news@example.com"),  # noqa: RUF001
        ("ana。m＠example｡com", "ana.m@example.com"),  # noqa: RUF001
        ("ﾊﾞﾅﾅ@example.com", "バナナ@example.com"),
        (f"{UNSEEN}ana@example.com{UNSEEN}", "ana@example.com"),
    ],
)
def test_what_a_japanese_keyboard_or_copying_brings_along_is_not_part_of_an_address(value, written):
    assert addresses.parse(value) == addresses.parse(written)
    assert addresses.parse(value).written == written


@pytest.mark.parametrize("value", ["аna@example.org", "ana@ехample.org", "ªna@example.org", "ⓐna@example.org"])  # noqa: RUF001
def test_a_letter_that_only_looks_alike_stays_what_it_is(value):
    assert not takes(value) or addresses.parse(value).key != "ana@example.org"


@pytest.mark.parametrize(
    "value",
    [
        *(
            "mailto:ana@example.org",
            "MAILTO:ana@example.org?subject=Hello",
            "Ana <ana@example.org>",
            "<ana@example.org>",
        ),
        *('"ana@example.org"', "'ana@example.org'", "„ana@example.org“", "(ana@example.org)", "Ana <ana@example.org>;"),
        *("ana@example.org.", "ana@example.org,", "ana@example.org。", "<mailto:ana@example.org>"),
        *("ana@exam\u00adple.org", "a\u200bna@example.org", "\u202eana@example.org", "ana\u2060@example.org"),
    ],
)
def test_whoever_enters_more_than_an_address_is_told_which_one_to_enter(value):
    with pytest.raises(Malformed, match=r"“ana@example\.org”"):
        addresses.parse(value)


@pytest.mark.parametrize(
    "value", ["ana@example.org,eve@example.org", "ana@example.org eve@example.org", "a@b.de; c@d.de"]
)
def test_whoever_enters_several_addresses_is_asked_for_a_single_one(value):
    with pytest.raises(Malformed, match="a single e-mail address"):
        addresses.parse(value)


@given(st.text(ATEXT + "@.äßж用ａ＠。ｶﾞ\u3002 \u200b\u2069<,", max_size=30))  # noqa: RUF001
def test_plain_characters_stay_plain_and_ascii_is_only_stripped(value):
    once = addresses.plain(value)
    assert addresses.plain(once) == once
    assert not value.isascii() or once == value.strip()


@pytest.mark.parametrize(("one", "other"), [("weiß", "weiss"), ("ﬁn", "fin"), ("ana", "aña"), ("ana", "ana+news")])
def test_similar_addresses_have_different_keys(one, other):
    assert addresses.parse(f"{one}@example.org").key != addresses.parse(f"{other}@example.org").key


LONG = ".".join(["d" * 60] * 3)


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        ("a" * 64 + "@example.org", True),
        ("a" * 65 + "@example.org", False),
        ("ü" * 32 + "@example.org", True),
        ("ü" * 33 + "@example.org", False),  # 66 octets
        ("a" * 64 + f"@{LONG}.org.eu", True),  # 254 altogether
        ("a" * 64 + f"@{LONG}.orgs.eu", False),
        ("ü" * 32 + f"@{LONG}.org.eu", True),
        ("ü" * 32 + f"@{LONG}.orgs.eu", False),
        ("a@" + "d" * 63 + ".org", True),
        ("a@" + "d" * 64 + ".org", False),
        ("a@" + "ü" * 60 + ".org", False),  # 64 as an A-label
    ],
)
def test_the_length_of_an_address_is_limited_in_octets(value, taken):
    assert takes(value) == taken
    if taken:
        assert len(addresses.envelope(addresses.parse(value).written).encode()) <= 254


locals_ = st.lists(st.text(ATEXT + "äßŁéжأ用", min_size=1, max_size=12), min_size=1, max_size=3).map(".".join)
written = st.builds("{}@{}".format, locals_, domains().filter(lambda domain: len(domain) < 150))


def parsed(value: str) -> Address:
    try:
        return addresses.parse(value)
    except Malformed:
        assume(False)
        raise


@given(written)
def test_parsing_a_parsed_address_returns_the_same(value):
    once = parsed(value)
    assert addresses.parse(once.written) == once
    assert addresses.parse(once.key).key == once.key
    assert addresses.parse(addresses.envelope(once.written)) == once


@given(written)
def test_an_address_in_full_width_is_the_same_address(value):
    assume(value.isascii())
    assert addresses.parse(value.translate(FULL_WIDTH)) == parsed(value)


@given(written)
def test_the_envelope_has_the_local_part_as_typed_and_the_domain_in_ascii(value):
    once = parsed(value)
    local, _, domain = addresses.envelope(once.written).rpartition("@")
    assert local == once.written.rpartition("@")[0]
    assert domain.isascii()
    assert validate_email(f"ana@{domain}", check_deliverability=False).ascii_domain == domain


@given(written, st.sampled_from([str.upper, str.lower, str.title]))
def test_addresses_that_differ_in_case_have_the_same_key(value, change):
    assume(value.isascii())
    once = parsed(value)
    assert parsed(change(value)).key == once.key
    assert addresses.fingerprint(KEYRING, parsed(change(value)).key) == addresses.fingerprint(KEYRING, once.key)


@given(written | st.text(max_size=20) | st.builds("{}@{}".format, st.text(max_size=3), st.text(max_size=6)))
def test_a_masked_address_never_reveals_the_address(value):
    local, _, domain = value.rpartition("@")
    assume("•" not in value and value.strip("@.") != "" and not domain.startswith("."))
    shown = addresses.mask(value)
    assert shown.count("•") >= 6
    assert value not in shown
    shown_local, _, shown_domain = shown.rpartition("@")
    assert not local or local not in shown_local
    assert domain == "" or domain not in shown_domain


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("gardener@press.example", "g•••r@p•••s.example"),
        ("ana@mail.example.co.uk", "a•••@m•••o.uk"),
        ("a@b.de", "•••@•••.de"),
        ("zoë@straße.de", "z•••@s•••e.de"),
        ("ana@localhost", "a•••@•••"),
        ("", "•••@•••"),
    ],
)
def test_a_masked_address_is_recognizable_for_its_owner(value, shown):
    assert addresses.mask(value) == shown


def test_a_fingerprint_names_its_key_and_depends_on_it():
    new = addresses.fingerprint(KEYRING, "ana@example.org")
    old = addresses.fingerprint(KEYRING, "ana@example.org", key="k1")
    assert new.startswith("k2:")
    assert old.startswith("k1:")
    assert old == addresses.fingerprint(Keyring([OLD]), "ana@example.org")
    assert new[3:] != old[3:]
    assert new != addresses.fingerprint(Keyring([("k2", "x" * 40)]), "ana@example.org")
    assert new != addresses.fingerprint(KEYRING, "eve@example.org")
    assert "ana" not in new
    assert len(new) <= 64


def test_spellings_of_one_inbox_share_a_fold():
    one, *others = [
        addresses.fold(KEYRING, addresses.parse(value).key)
        for value in ("ana@example.org", "ANA@Example.org", "ana+a@example.org", "Ana+b+c@EXAMPLE.ORG")
    ]
    assert {one} == set(others)
    for value in ("anna@example.org", "ana@example.com", "a.na@example.org"):
        assert addresses.fold(KEYRING, addresses.parse(value).key) != one
    assert one[3:] != addresses.fingerprint(KEYRING, "ana@example.org")[3:], "limits and suppressions cannot be joined"
