"""The private hosts that the operator allows feeds to be fetched from."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from urllib.parse import urlsplit

from newsletter.errors import Misconfigured

IPAddress = IPv4Address | IPv6Address


@dataclass(frozen=True)
class AllowedHost:
    """A private host, by name, or a private network that feeds may come from; at one port or any."""

    host: str | IPv4Network | IPv6Network
    port: int | None = None

    @classmethod
    def parse(cls, written: str) -> "AllowedHost":
        """Parse `news.internal`, `localhost:8099`, `10.1.2.3`, `10.0.0.0/8`, `fd00::/8` or `[::1]:8080`.

        Raises Misconfigured for anything else.
        """
        try:
            return cls(ip_network(written))
        except ValueError:
            pass
        try:
            parts = urlsplit(f"//{written}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or parts.netloc != written or "@" in written:
            raise Misconfigured(f"“{written}” is not a host name, an IP address or a network.")
        try:
            return cls(ip_network(host), port)
        except ValueError:
            return cls(host, port)

    def covers(self, host: str, address: IPAddress, port: int) -> bool:
        """Whether a connection to this host and port, at this IP address, is allowed."""
        if self.port not in (None, port):
            return False
        if isinstance(self.host, str):
            return self.host == host.lower().rstrip(".")
        return address in self.host
