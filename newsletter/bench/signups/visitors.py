"""The visitors of the sign-up benchmark: who signs up as which number, from where, and what their browsers send.

They come from thousands of networks and mail domains, so that the limits of confirmation letters are counted for each
sign-up and none is reached. Each measurement has networks and domains of its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from urllib.parse import urlencode

NETWORKS = 5_000  # of one measurement
DOMAINS = 1_000  # of one measurement
FIRST_NETWORK = int(IPv4Address("20.0.0.0"))  # this and the next thousand measurements' networks are public addresses
NETWORK_ADDRESSES = 256  # IPv4 /24
# What a current browser and a reverse proxy send; the values are of the usual length.
HEADERS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.7,de;q=0.3",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Content-Type": "application/x-www-form-urlencoded",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "navigate",
    "X-Forwarded-Proto": "https",
}


@dataclass(frozen=True)
class SignupVisitors:
    """The visitors of one measurement, numbered from 0; `measurement` sets them apart from those of others."""

    measurement: int
    page: str  # the URL that shows the form
    form: Mapping[str, str]  # its hidden fields

    def address(self, number: int) -> str:
        """Return the address that the visitor enters."""
        return f"visitor{number}@town{number % DOMAINS}-{self.measurement}.example"

    def client(self, number: int) -> str:
        """Return the IP address that the visitor comes from."""
        network, host = number % NETWORKS, number // NETWORKS % 250 + 1
        first = FIRST_NETWORK + self.measurement * NETWORKS * NETWORK_ADDRESSES
        return str(IPv4Address(first + network * NETWORK_ADDRESSES + host))

    def requests(self, host: str) -> Iterator[bytes]:
        """Yield the visitors' requests without end: POST /subscribe, from a proxy that keeps its connections."""
        lines = {"Host": host, **HEADERS, "Origin": self.page.rpartition("/n/")[0], "Referer": self.page}
        head = "POST /subscribe HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        fields = urlencode({**self.form, "name": "", "consent": "true"})
        number = 0
        while True:
            body = f"{fields}&{urlencode({'email': self.address(number)})}"
            own = f"X-Forwarded-For: {self.client(number)}\r\nContent-Length: {len(body)}\r\n\r\n"
            yield f"{head}{own}{body}".encode()
            number += 1
