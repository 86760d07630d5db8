"""A domain that looks mistyped is asked about; one that many people have never is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter import addresses
from newsletter.consent.limits.mailbox_providers import MAILBOX_PROVIDERS
from newsletter.web.public.check_inbox import webmail
from newsletter.web.public.check_inbox.address_suggestions import COMMON, suggested_domain, suggestion

MISTYPED = {
    "gmail.com": "gmial.com gmai.com gnail.com gmaill.com gmail.con gmail.co gmail.cm gmail.comm gmail.de gmali.com",
    "hotmail.com": "hotmial.com hotmal.com hotmail.con hotmail.cmo hotmail.co hotmaill.com",
    "yahoo.com": "yaho.com yahooo.com yahoo.con yahoo.cm",
    "outlook.com": "outlok.com outloook.com outlook.con",
    "icloud.com": "iclod.com icloud.de icloud.co",
    "web.de": "web.ed wbe.de web.d web.dee",
    "gmx.de": "gmx.d gmx.ed gxm.de gmx.dee",
    "gmx.net": "gmx.ne gmx.nte",
    "t-online.de": "tonline.de t-onlin.de t-online.com",
    "orange.fr": "orange.rf ornage.fr",
    "libero.it": "libreo.it libero.ti",
    "wp.pl": "wp.lp pw.pl",
    "yahoo.co.uk": "yahoo.couk yahoo.co.ku",
    "example.com": "example.con example.cmo example.vom",
    "mail.example.org": "mail.example.ogr",
}
RIGHT = (
    "example.org example.co firma.de uni-x.ac.uk mail.com email.com ymail.com gmx.at gmx.us hotmail.nl yahoo.com.ar "
    "yahoo.co.in wx.pl web.at op.pl town.example xn--bcher-kva.example bet.bet firma.om"
)


@pytest.mark.parametrize(
    ("meant", "written"), [(meant, each) for meant, all_ in MISTYPED.items() for each in all_.split()]
)
def test_a_mistyped_domain_is_asked_about(meant, written):
    assert suggested_domain(written) == meant


@pytest.mark.parametrize("domain", RIGHT.split())
def test_a_domain_that_may_be_right_is_not_doubted(domain):
    assert suggested_domain(domain) is None


def test_no_domain_of_a_large_provider_is_doubted():
    assert [domain for domain in sorted(MAILBOX_PROVIDERS | COMMON) if suggested_domain(domain)] == []


@st.composite
def slips(draw):
    """One slip of a finger in a domain that many people have."""
    domain = draw(st.sampled_from(sorted(COMMON)))
    at, letter = draw(st.integers(0, len(domain) - 1)), draw(st.sampled_from("abeinort.-1"))
    before, here, after = domain[:at], domain[at], domain[at + 1 :]
    return draw(st.sampled_from([before + after, before + letter + after, before + letter + here + after]))


@given(slips() | st.from_regex(r"[a-z]{1,8}\.[a-z]{1,4}", fullmatch=True))
def test_what_is_suggested_is_not_doubted_again(domain):
    meant = suggested_domain(domain)
    assert meant is None or (meant != domain and suggested_domain(meant) is None)


def test_the_local_part_stays_as_it_was_written():
    assert suggestion(addresses.parse("Ana.Petrović@GMIAL.com")) == "Ana.Petrović@gmail.com"


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        *[("gmail.com", "Gmail"), ("googlemail.com", "Gmail"), ("hotmail.co.uk", "Outlook"), ("live.fr", "Outlook")],
        *[("yahoo.de", "Yahoo Mail"), ("yahoo.co.jp", "Yahoo! メール"), ("gmx.at", "GMX"), ("web.de", "WEB.DE")],
        *[("icloud.com", "iCloud Mail"), ("wp.pl", "Poczta WP"), ("orange.fr", "Orange"), ("example.org", None)],
    ],
)
def test_well_known_providers_have_a_page_for_reading_mail(domain, name):
    found = webmail.of(domain)
    assert (found and found.name) == name


def test_every_button_to_a_provider_is_encrypted_and_of_a_known_domain():
    every = [*webmail.BY_DOMAIN.values(), *webmail.BY_PROVIDER.values()]
    assert all(each.url.startswith("https://") for each in every)
    assert [domain for domain in webmail.BY_DOMAIN if not webmail.mailbox_providers.is_large(domain)] == []
