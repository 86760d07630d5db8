"""Which addresses are one client's: IPv4 /32 and /24, IPv6 /64 and /48."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.consent.limits import networks
from newsletter.consent.limits.networks import Networks
from newsletter.keys import Keyring
from tests.builders import KEYRING

NOBODY = Networks(None, None)


def of(ip: str | None) -> Networks:
    return networks.keys(KEYRING, ip)


@pytest.mark.parametrize(
    ("one", "other", "same_host", "same_network"),
    [
        ("198.51.100.1", "198.51.100.1", True, True),
        ("198.51.100.1", "198.51.100.254", False, True),
        ("198.51.100.1", "198.51.101.1", False, False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True, True),
        ("2001:db8:1:2::1", "2001:db8:1:ffff::1", False, True),
        ("2001:db8:1::1", "2001:db8:2::1", False, False),
        ("::ffff:198.51.100.1", "198.51.100.1", True, True),
        ("::ffff:198.51.100.1", "::ffff:203.0.113.1", False, False),
        ("64:ff9b::198.51.100.1", "198.51.100.1", True, True),
    ],
)
def test_addresses_of_one_client_have_the_same_keys(one, other, same_host, same_network):
    assert (of(one).host == of(other).host) is same_host
    assert (of(one).network == of(other).network) is same_network


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1",
        "127.8.8.8",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.1.1",
        "::1",
        "::",
        "fd00::1",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
    ],
)
def test_private_and_loopback_peers_have_no_network_for_they_may_be_an_undeclared_proxy(ip):
    assert of(ip) == NOBODY
    assert networks.is_undeclared_proxy(ip)


@pytest.mark.parametrize("ip", [None, "", "unknown", "testclient", "300.1.1.1", "1.2.3.4/24"])
def test_an_unknown_address_has_no_network(ip):
    assert of(ip) == NOBODY


@pytest.mark.parametrize("ip", ["172.15.0.1", "172.32.0.1", "100.128.0.1", "192.0.2.1", "198.51.100.1", "2001:db8::1"])
def test_every_other_address_is_a_visitor_s(ip):
    assert None not in of(ip)
    assert not networks.is_undeclared_proxy(ip)


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_keys_fit_their_column_and_name_no_address(address):
    for key in of(str(address)):
        assert key is None or (len(key) <= 80 and str(address) not in key)


def test_a_host_and_a_network_never_share_a_key_and_another_secret_key_makes_others():
    names = ["1.0.0.0", "1.0.1.0", "100::", "0:1::", "1::"]
    keys = [key for name in names for key in of(name) if key]
    assert len(keys) == len(set(keys))
    other = networks.keys(Keyring([("k2", "t" * 40)]), "1.0.0.0")
    assert other.host not in keys
