"""Destinations: public addresses, allowed hosts, and names that do not resolve."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.allowed_hosts import AllowedHost
from newsletter.content.fetching.destinations import FetchError, Forbidden, Guard, is_public
from newsletter.errors import Misconfigured

PRIVATE = [
    *["0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.0.0.170", "192.0.2.1"],
    *["192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1"],
    *["255.255.255.255", "::", "::1", "::a00:1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "100::1"],
    *["2001::1", "2001:db8::1", "2002:a00:1::1", "3fff::1", "5f00::1", "fc00::1", "fd00::1", "fe80::1", "fec0::1"],
    *["ff02::1", "ff0e::1"],
]
PUBLIC = ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_special_purpose_addresses_are_not_public(address):
    assert not is_public(ip_address(address))
    assert not is_public(ip_address(0))


@pytest.mark.parametrize("address", PUBLIC)
def test_global_unicast_addresses_are_public(address):
    assert is_public(ip_address(address))


@given(st.ip_addresses(v=4), st.sampled_from(["::ffff:0:0", "64:ff9b::"]))
def test_an_ipv4_address_wrapped_in_ipv6_is_judged_like_itself(address: IPv4Address, prefix):
    assert is_public(IPv6Address(int(IPv6Address(prefix)) + int(address))) == is_public(address)


@given(st.ip_addresses(network="10.0.0.0/8"), st.integers(1, 65535))
def test_an_allowed_network_is_reachable_on_every_port(address, port):
    guard = Guard([AllowedHost.parse("10.0.0.0/8")], resolve=lambda _: [str(address)])
    assert guard.addresses("news.internal", port, seconds=1) == [address]


def test_an_allowed_port_of_a_host_does_not_allow_its_other_ports():
    guard = Guard([AllowedHost.parse("localhost:8099")], resolve=lambda _: ["127.0.0.1"])
    assert guard.addresses("LOCALHOST.", 8099, seconds=1) == [ip_address("127.0.0.1")]
    with pytest.raises(Forbidden):
        guard.addresses("localhost", 80, seconds=1)
    with pytest.raises(Forbidden):
        guard.addresses("other.example", 8099, seconds=1)


@pytest.mark.parametrize(
    ("written", "allowed"),
    [
        ("news.internal", AllowedHost("news.internal")),
        ("News.Internal:8080", AllowedHost("news.internal", 8080)),
        ("10.1.2.3", AllowedHost(IPv4Network("10.1.2.3/32"))),
        ("10.1.2.3:80", AllowedHost(IPv4Network("10.1.2.3/32"), 80)),
        ("10.0.0.0/8", AllowedHost(IPv4Network("10.0.0.0/8"))),
    ],
)
def test_an_allowed_host_is_a_name_or_a_network_with_or_without_a_port(written, allowed):
    assert AllowedHost.parse(written) == allowed


@pytest.mark.parametrize("written", ["::1", "fd00::/8", "[::1]", "[::1]:8080"])
def test_an_allowed_host_may_be_ipv6(written):
    address = ip_address("fd00::1" if "/" in written else "::1")
    assert AllowedHost.parse(written).covers("any", address, 8080)


@pytest.mark.parametrize(
    "written", ["", "http://news.internal", "news.internal/feed", "host:port", "a@b", "10.0.0.0/33"]
)
def test_a_malformed_allowed_host_is_refused(written):
    with pytest.raises(Misconfigured, match="is not a host name, an IP address or a network"):
        AllowedHost.parse(written)


def test_an_unresolvable_name_is_a_fetch_error():
    def unknown(host: str) -> list[str]:
        raise OSError(-2, "Name or service not known")

    with pytest.raises(FetchError, match=r"news\.example is unknown"):
        Guard(resolve=unknown).addresses("news.example", 80, seconds=1)
    with pytest.raises(FetchError, match="no address"):
        Guard(resolve=lambda _: []).addresses("news.example", 80, seconds=1)
