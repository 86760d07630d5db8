"""The large mailbox providers, to which no limit per domain applies."""

import pytest

from newsletter.consent.limits import mailbox_providers
from newsletter.consent.limits.mailbox_providers import MAILBOX_PROVIDERS


@pytest.mark.parametrize(
    "domain",
    [
        "gmail.com", "googlemail.com", "icloud.com", "web.de", "t-online.de", "qq.com", "ymail.com", "rocketmail.com",
        "yahoo.com", "yahoo.fr", "yahoo.co.uk", "yahoo.co.jp", "yahoo.com.br",
        "outlook.com", "outlook.es", "outlook.com.tr", "hotmail.com", "hotmail.it", "hotmail.co.uk", "live.co.uk",
        "aol.com", "aol.de", "aol.co.uk", "gmx.com", "gmx.net", "gmx.de", "gmx.co.uk",
    ],
)  # fmt: skip
def test_a_large_provider_is_known_in_each_country(domain):
    assert mailbox_providers.is_large(domain)


@pytest.mark.parametrize(
    "domain",
    [
        "example.org", "com", "", "yahoo", "myyahoo.example", "yahoo.example", "yahoo.co.example", "x.yahoo.com",
        "notyahoo.com", "yahoo.com.", "yahoo-com.fr", "yahoo.net.fr", "hotmail.com.evil.example", "gmx.com\n",
    ],
)  # fmt: skip
def test_a_domain_that_only_looks_like_a_large_provider_has_its_limit(domain):
    assert not mailbox_providers.is_large(domain)


@pytest.mark.parametrize(
    ("domain", "brand"), [("yahoo.com", "yahoo"), ("hotmail.co.uk", "hotmail"), ("ymail.com", ""), ("example.org", "")]
)
def test_the_brand_of_a_domain_is_told(domain, brand):
    assert mailbox_providers.brand(domain) == brand


def test_the_large_mailbox_providers_are_written_as_address_keys_are():
    assert all(domain == domain.lower() and domain.isascii() and "." in domain for domain in MAILBOX_PROVIDERS)
