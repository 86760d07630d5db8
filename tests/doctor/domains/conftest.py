"""The resolver under test, which asks the DNS server of the tests once for each lookup, however busy we are."""

import pytest

from newsletter.doctor.domains.dns import DnsResolver
from tests.waiting import TIMEOUT


@pytest.fixture
def resolver(zone) -> DnsResolver:
    return DnsResolver("127.0.0.1", zone.port, try_timeout=TIMEOUT, timeout=TIMEOUT)
