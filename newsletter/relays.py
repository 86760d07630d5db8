"""Relays: the SMTP servers that take our letters, as their URLs say it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Self, TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from newsletter.errors import Misconfigured

Number = TypeVar("Number", int, float)
Usual = TypeVar("Usual", int, None)

PORTS = {"smtp": 25, "smtps": 465}
SUBMISSION = 587  # RFC 6409: where a relay takes letters from those who log in
CONNECTIONS = 4  # a letter waits for the relay most of its time, on however short a way
EXAMPLE = "smtp://user:password@mail.example.org:587?rate=14&connections=5&weight=2"


@dataclass(frozen=True, kw_only=True)
class Relay:
    """An SMTP server and how much of our mail it is to get."""

    host: str
    port: int
    scheme: str = "smtp"  # STARTTLS where the relay offers it (RFC 3207); smtps: TLS from the first byte (RFC 8314)
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    rate: float | None = None  # letters a second, over all connections together; None: as fast as it takes them
    # For issues, of all workers together. Each process opens up to two more while somebody waits for a confirmation.
    connections: int = CONNECTIONS
    weight: int = 1  # its share among several relays

    @property
    def place(self) -> str:
        """Its host and port, as an operator knows it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_on_this_machine(self) -> bool:
        """Whether its host is loopback by what is written: an address such as 127.0.0.1 or ::1, or `localhost`.

        RFC 6761 section 6.3 keeps that name for this machine. Of any other the DNS is not asked: it may be forged.
        """
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @classmethod
    def parse(cls, url: str) -> Self:
        """The relay of `smtp://` or `smtps://` URL; user and password are percent-decoded.

        Raises Misconfigured with a sentence that repeats no part of the URL which may hold the password.
        """
        parts, port = _split(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise Misconfigured(f"a relay is written like {EXAMPLE}")
        if parts.path not in ("", "/") or parts.fragment:
            raise Misconfigured("nothing but ?rate=, connections= and weight= follows the relay's host and port")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if bool(user) != bool(password):
            raise Misconfigured("a relay has both user and password, or neither")
        options = _options(parts.query)
        return cls(
            scheme=parts.scheme,
            host=parts.hostname,
            port=port or (SUBMISSION if parts.scheme == "smtp" and user else PORTS[parts.scheme]),
            user=user or None,
            password=password or None,
            rate=_number(options, "rate", float, None),
            connections=_number(options, "connections", int, CONNECTIONS),
            weight=_number(options, "weight", int, 1),
        )


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # urllib's own message may quote the password: a "/" in it makes what stands before look like a port
        raise Misconfigured(
            "the relay's host or port cannot be read; special characters in user and password are percent-encoded"
        ) from None
    return parts, port


def _options(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    names = [name for name, _ in pairs]
    for name in names:
        if name not in ("rate", "connections", "weight"):
            raise Misconfigured("after the ? of a relay stand rate=, connections= and weight=, joined by &")
        if names.count(name) > 1:
            raise Misconfigured(f"the relay's {name} is given twice")
    return dict(pairs)


def _number(options: dict[str, str], name: str, kind: Callable[[str], Number], usual: Usual) -> Number | Usual:
    if name not in options:
        return usual
    try:
        number = kind(options[name])
    except ValueError:
        raise Misconfigured(f"the relay's {name} is a number") from None
    if not 0 < number < float("inf"):
        raise Misconfigured(f"the relay's {name} is more than nothing, and finite")
    return number
