"""Relays: the SMTP servers that we send through, parsed from their URLs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from typing import Self, TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from newsletter.errors import Misconfigured

Number = TypeVar("Number", int, float)
Default = TypeVar("Default", int, None)

DEFAULT_PORTS = {"smtp": 25, "smtps": 465}
SUBMISSION_PORT = 587  # RFC 6409, for clients that log in
DEFAULT_CONNECTIONS = 4  # several, because a letter spends most of its time waiting for the relay, even a near one
EXAMPLE = "smtp://user:password@mail.example.org:587?rate=14&connections=5&weight=2"
OPTIONS = ("rate", "connections", "weight", "tls", "ca", "login")
OPTIONS_IN_WORDS = "a relay's options are rate=, connections=, weight=, tls=, ca= and login=, joined by &"


class TlsPolicy(StrEnum):
    """Whether an `smtp://` relay must encrypt (STARTTLS, RFC 3207)."""

    REQUIRED = "required"
    OPTIONAL = "optional"  # TLS if it is offered; somebody in between can withhold the offer (RFC 3207 section 6)


@dataclass(frozen=True, kw_only=True)
class Relay:
    """An SMTP server and its share of our mail."""

    host: str
    port: int
    scheme: str = "smtp"  # STARTTLS (RFC 3207); smtps: TLS from the first byte (RFC 8314)
    tls_policy: TlsPolicy | None = None  # None: required, but optional on this machine without a `ca`
    ca: str | None = None  # the file of the only certificates that prove its identity; None: the system's
    allows_cleartext_login: bool = False  # the operator lets the password be sent to another machine without TLS
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    rate: float | None = None  # letters a second over all connections; None: as fast as the relay accepts them
    # For issues, of all workers together. Each process opens up to two more for confirmations, which people wait for.
    connections: int = DEFAULT_CONNECTIONS
    weight: int = 1  # its share among several relays

    @property
    def endpoint(self) -> str:
        """Return `host:port`, with brackets around an IPv6 address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_on_this_machine(self) -> bool:
        """Whether its host is this machine's, so that what is sent to it is seen by nobody else."""
        return is_loopback(self.host)

    @property
    def requires_tls(self) -> bool:
        """Whether no letter may be sent to it without TLS."""
        if self.scheme == "smtps":
            return True
        if self.tls_policy is None:
            return not self.is_on_this_machine or self.ca is not None
        return self.tls_policy is TlsPolicy.REQUIRED

    @property
    def may_log_in_without_tls(self) -> bool:
        """Whether the password may be sent in the clear (RFC 8314 section 4.1): to this machine, or by choice."""
        return self.is_on_this_machine or self.allows_cleartext_login

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parse an `smtp://` or `smtps://` URL, whose user and password are percent-encoded.

        Raises Misconfigured with a message that repeats no part of the URL that may contain the password.
        """
        parts, port = _split(url)
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            raise Misconfigured(f"enter a relay's URL such as {EXAMPLE}")
        if parts.path not in ("", "/") or parts.fragment:
            raise Misconfigured(f"only ? and options may follow the relay's host and port; {OPTIONS_IN_WORDS}")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if bool(user) != bool(password):
            raise Misconfigured("enter both the relay's user and password, or neither")
        options = _options(parts.query)
        relay = cls(
            scheme=parts.scheme,
            tls_policy=_tls_policy(options),
            ca=_ca(options),
            allows_cleartext_login=_allows_cleartext_login(options),
            host=parts.hostname,
            port=port or (SUBMISSION_PORT if parts.scheme == "smtp" and user else DEFAULT_PORTS[parts.scheme]),
            user=user or None,
            password=password or None,
            rate=_number(options, "rate", float, None),
            connections=_number(options, "connections", int, DEFAULT_CONNECTIONS),
            weight=_number(options, "weight", int, 1),
        )
        if relay.scheme == "smtps" and relay.tls_policy is TlsPolicy.OPTIONAL:
            raise Misconfigured("smtps:// always uses TLS; the option tls=optional belongs to smtp://")
        if relay.allows_cleartext_login and relay.requires_tls:
            raise Misconfigured("the option login=cleartext has no effect without tls=optional")
        return relay


def is_loopback(host: str) -> bool:
    """Return whether a host is `localhost` or a loopback address such as 127.0.0.1 or ::1.

    RFC 6761 section 6.3 reserves `localhost` for this machine. Other names are not resolved: DNS may be forged.
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # urllib's message may quote the password: with a "/" in it, the part before looks like a port
        raise Misconfigured(
            "the relay's host or port is invalid; percent-encode special characters in user and password"
        ) from None
    return parts, port


def _options(query: str) -> dict[str, str]:
    # A form writes a space as "+", but in a file's name a plus is a plus.
    pairs = parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)
    names = [name for name, _ in pairs]
    for name in names:
        if name not in OPTIONS:
            raise Misconfigured(OPTIONS_IN_WORDS)
        if names.count(name) > 1:
            raise Misconfigured(f"the relay's {name} is set twice")
    return dict(pairs)


def _tls_policy(options: dict[str, str]) -> TlsPolicy | None:
    try:
        return TlsPolicy(options["tls"]) if "tls" in options else None
    except ValueError:
        raise Misconfigured("the relay's tls must be required or optional") from None


def _ca(options: dict[str, str]) -> str | None:
    file = options.get("ca")
    if file is not None and not file.startswith("/"):
        raise Misconfigured("the relay's ca must be the whole path of a file, such as ca=/etc/ssl/mail-ca.pem")
    return file


def _allows_cleartext_login(options: dict[str, str]) -> bool:
    if options.get("login", "cleartext") != "cleartext":
        raise Misconfigured("the relay's login can only be cleartext: it allows a password without TLS")
    return "login" in options


def _number(options: dict[str, str], name: str, kind: Callable[[str], Number], default: Default) -> Number | Default:
    if name not in options:
        return default
    try:
        number = kind(options[name])
    except ValueError:
        raise Misconfigured(f"the relay's {name} must be a positive number") from None
    if not 0 < number < float("inf"):
        raise Misconfigured(f"the relay's {name} must be a positive number")
    return number
