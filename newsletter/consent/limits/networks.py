"""Networks: whose sign-ups are counted together, because one client can use all their addresses.

A provider gives a customer one IPv4 address, or an IPv6 /64 at least (RFC 6177), and a hoster sells IPv4 /24s and IPv6
/48s. The keys are MACs, so that what is stored names no address.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

from newsletter.keys import Keyring, to_base64url

PURPOSE = "network"  # of the MACs
HOST, NETWORK = "host", "network"  # what keys begin with
HOST_BYTES = {4: 4, 6: 8}  # of an address, by its version: IPv4 /32, IPv6 /64
NETWORK_BYTES = {4: 3, 6: 6}  # IPv4 /24, IPv6 /48

# Behind an undeclared proxy all visitors have its address, so these have no limit. `is_private` of the standard library
# would also cover networks that visitors may have.
PROXIES = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this host, RFC 1122 section 3.2.1.3
        "10.0.0.0/8",  # private use, RFC 1918, as are 172.16.0.0/12 and 192.168.0.0/16
        "100.64.0.0/10",  # shared address space, RFC 6598
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, RFC 3927
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::/128",
        "::1/128",
        "fc00::/7",  # unique local, RFC 4193
        "fe80::/10",  # link-local, RFC 4291 section 2.5.6
    )
)
TRANSLATED = ip_network("64:ff9b::/96")  # an IPv4 client behind a translator, RFC 6052 section 2.1


class Networks(NamedTuple):
    """The keys of a client's host and network; both None if no limit applies."""

    host: str | None
    network: str | None


def keys(keyring: Keyring, ip: str | None) -> Networks:
    """Return the keys of a client's address. An unknown address and one that may be a proxy's have none."""
    address = _public(ip)
    if address is None:
        return Networks(None, None)
    mac = keyring.mac_maker(PURPOSE)
    # The four kinds have messages of different lengths, so no two have the same MAC.
    host = mac(address.packed[: HOST_BYTES[address.version]])
    network = mac(address.packed[: NETWORK_BYTES[address.version]])
    return Networks(
        f"{HOST}:{keyring.newest}:{to_base64url(host)}", f"{NETWORK}:{keyring.newest}:{to_base64url(network)}"
    )


def is_undeclared_proxy(ip: str | None) -> bool:
    """Return whether a visitor's address is private, so that it is probably a proxy's."""
    return bool(ip) and _public(ip) is None


def name(ip: str | None) -> str | None:
    """Return the network of a client's address as an operator writes it, such as 192.0.2.0/24; None if it has none."""
    address = _public(ip)
    return str(ip_network((address, NETWORK_BYTES[address.version] * 8), strict=False)) if address else None


def _public(ip: str | None) -> IPv4Address | IPv6Address | None:
    try:
        address = _as_ipv4(ip_address(ip or ""))
    except ValueError:
        return None
    return None if any(address in network for network in PROXIES) else address


def _as_ipv4(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 address stands for, if it does (RFC 4291 section 2.5.5.2, RFC 6052)."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    return IPv4Address(address.packed[-4:]) if address in TRANSLATED else address
