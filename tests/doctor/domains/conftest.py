"""The resolver under test, which queries the DNS server of the tests."""

import pytest

from newsletter.doctor.domains.dns import DnsResolver


@pytest.fixture
def resolver(zone) -> DnsResolver:
    return DnsResolver("127.0.0.1", zone.port, try_timeout=0.5, timeout=1.0)
