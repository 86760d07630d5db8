"""A resolver that asks the test's own server."""

import pytest

from newsletter.doctor.domains.dns import DnsResolver


@pytest.fixture
def resolver(zone) -> DnsResolver:
    return DnsResolver("127.0.0.1", zone.port, patience=0.5, longest=1.0)
