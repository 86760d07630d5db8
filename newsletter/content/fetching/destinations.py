"""Decide which addresses a fetch may connect to: public ones, and the private hosts that the operator allows.

An untrusted URL must not reach our private network (server-side request forgery). The guard resolves the name once,
checks every address, and the connection goes to one of exactly these addresses. A name that resolves differently the
second time (DNS rebinding) gains nothing, because it is never resolved twice.
"""

import socket
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Network, ip_address
from threading import Thread

from newsletter.allowed_hosts import AllowedHost, IPAddress
from newsletter.errors import NewsletterError

Resolve = Callable[[str], Iterable[str]]

PORTS = (80, 443)
UNICAST = IPv6Network("2000::/3")  # the only public range assigned so far; the rest of IPv6 is special-purpose
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address
DOCUMENTATION = IPv6Network("3fff::/20")  # RFC 9637, which some supported Python versions do not know


class FetchError(NewsletterError):
    """The address could not be fetched. `retry_after` is the time that the server asks to wait, if it names one."""

    def __init__(self, reason: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class ServerUnavailable(FetchError):
    """The server cannot be reached or cannot answer now; a later try may succeed."""


class Forbidden(FetchError):
    """Feeds may not be fetched from this address."""


def is_public(address: IPAddress) -> bool:
    """Return whether an address is public; an IPv6 address that wraps an IPv4 address is judged by the latter."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not address.is_reserved
    if address in NAT64:
        return is_public(IPv4Address(address.packed[-4:]))
    wrapped = address.ipv4_mapped or address.sixtofour
    if wrapped:
        return is_public(wrapped)
    return address.is_global and address in UNICAST and address not in DOCUMENTATION


def resolve(host: str) -> list[str]:
    """Return every address of the host in the system's order of preference. It also parses 127.1 and 0x7f000001."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


class Guard:
    """Permits connections to public addresses and to the allowed hosts."""

    def __init__(self, allow: Iterable[AllowedHost] = (), *, resolve: Resolve = resolve) -> None:
        self._allowed_hosts = tuple(allow)
        self._resolve = resolve

    def addresses(self, host: str, port: int, *, seconds: float) -> list[IPAddress]:
        """Resolve the host within `seconds` and return its addresses.

        Raises Forbidden if any of them is not permitted, FetchError if the name cannot be resolved.
        """
        try:
            addresses = [ip_address(each.partition("%")[0]) for each in self._resolve_within(seconds, host)]
        except TimeoutError as error:
            raise ServerUnavailable(f"The name server did not resolve {host} in time.") from error
        except (OSError, ValueError) as error:
            raise ServerUnavailable(f"The host name {host} is unknown.") from error
        if not addresses:
            raise ServerUnavailable(f"The host name {host} has no address.")
        for address in addresses:
            self._check(host, address, port)
        return addresses

    def _check(self, host: str, address: IPAddress, port: int) -> None:
        if any(allowed.covers(host, address, port) for allowed in self._allowed_hosts):
            return
        if not is_public(address):
            named = f"{host} is" if host.strip("[]") == str(address) else f"{host} resolves to {address}, which is"
            raise Forbidden(f"{named} not a public address.")
        if port not in PORTS:
            raise Forbidden(f"Port {port} of {host} is not allowed; feeds are fetched from ports 80 and 443 only.")

    def _resolve_within(self, seconds: float, host: str) -> Iterable[str]:
        """Resolve in a thread with a time limit: the system's resolver has none and may take minutes."""
        resolved: Future[Iterable[str]] = Future()

        def run() -> None:
            try:
                resolved.set_result(self._resolve(host))
            except (OSError, ValueError) as error:
                resolved.set_exception(error)

        Thread(target=run, daemon=True, name="resolve").start()
        return resolved.result(timeout=seconds)
