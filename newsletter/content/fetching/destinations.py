"""Where a fetch may go: public addresses, and the private hosts that the operator has named.

An address that a stranger chose must not lead into the network behind us (server-side request forgery). The name is
resolved once, every address it has must be permitted, and the connection goes to one of exactly these: a name that
answers differently the second time (DNS rebinding) is never asked a second time.
"""

import socket
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from ipaddress import IPv4Address, IPv6Network, ip_address
from threading import Thread

from newsletter.allowed_hosts import AllowedHost, IPAddress
from newsletter.errors import NewsletterError

Resolve = Callable[[str], Iterable[str]]

PORTS = (80, 443)
UNICAST = IPv6Network("2000::/3")  # all that is assigned to the public so far; everything else in IPv6 is special
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the IPv4 address stands in the last 32 bits
DOCUMENTATION = IPv6Network("3fff::/20")  # RFC 9637, newer than some of the Pythons that run here


class FetchError(NewsletterError):
    """The address could not be fetched."""


class Forbidden(FetchError):
    """The address leads where feeds may not come from."""


def is_public(address: IPAddress) -> bool:
    """Whether anybody on the Internet could reach this address, also where IPv6 only wraps an IPv4 address."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not address.is_reserved
    if address in NAT64:
        return is_public(IPv4Address(address.packed[-4:]))
    wrapped = address.ipv4_mapped or address.sixtofour
    if wrapped:
        return is_public(wrapped)
    return address.is_global and address in UNICAST and address not in DOCUMENTATION


def resolve(host: str) -> list[str]:
    """Every address of the host, in the order in which the system prefers them. It also reads 127.1 and 0x7f000001."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


class Guard:
    """Says to which addresses a connection may go."""

    def __init__(self, allow: Iterable[AllowedHost] = (), *, resolve: Resolve = resolve) -> None:
        self._exemptions = tuple(allow)
        self._resolve = resolve

    def addresses(self, host: str, port: int, *, seconds: float) -> list[IPAddress]:
        """The addresses of the host, after all of them were found to be permitted. Raises FetchError or Forbidden."""
        try:
            found = [ip_address(each.partition("%")[0]) for each in self._ask(host, seconds)]
        except TimeoutError as error:
            raise FetchError(f"No name server has said where {host} is in time.") from error
        except (OSError, ValueError) as error:
            raise FetchError(f"The name {host} is not known.") from error
        if not found:
            raise FetchError(f"The name {host} has no address.")
        for address in found:
            self._check(host, address, port)
        return found

    def _check(self, host: str, address: IPAddress, port: int) -> None:
        if any(exemption.covers(host, address, port) for exemption in self._exemptions):
            return
        if not is_public(address):
            raise Forbidden(f"{host} is at {address}, which is not a public address.")
        if port not in PORTS:
            raise Forbidden(f"Port {port} of {host} is not one that feeds come from; 80 and 443 are.")

    def _ask(self, host: str, seconds: float) -> Iterable[str]:
        """Resolve within a time limit. The system's resolver has none of its own, and may take minutes."""
        answer: Future[Iterable[str]] = Future()

        def ask() -> None:
            try:
                answer.set_result(self._resolve(host))
            except (OSError, ValueError) as error:
                answer.set_exception(error)

        Thread(target=ask, daemon=True, name="resolve").start()
        return answer.result(timeout=seconds)
