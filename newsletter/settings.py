"""Settings: environment variables with the prefix NEWSLETTER_, read once, at the edge.

A value comes from `NEWSLETTER_X`, from the file that `NEWSLETTER_X_FILE` names (a mounted secret), or from `.env`. An
empty value counts as not set. One message reports all unknown names and malformed values, and repeats no part of a
value that may be a secret.
"""

import os
import re
import socket
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator
from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from newsletter.allowed_hosts import AllowedHost
from newsletter.errors import Misconfigured, NewsletterError
from newsletter.relays import Relay, is_loopback

PREFIX = "NEWSLETTER_"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
REDIS_SCHEMES = ("redis", "rediss", "redis+socket")
MAX_BASE_URL_CHARACTERS = 255  # with a token it must fit a line of List-Unsubscribe, at most 998 characters
MIN_KEY_CHARACTERS = 32
MIN_TOKEN_CHARACTERS = 16  # too many to guess over the network
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # a bearer token, RFC 6750 section 2.1
SITE_PATH = re.compile(r"(/[A-Za-z0-9_-]+)+")
EHLO_NAME = re.compile(r"[A-Za-z0-9.-]+|\[[A-Za-z0-9.:]+\]")  # a domain or an address literal, RFC 5321 section 4.1.2
SENDER = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


def _parts(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _each(parse: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Return a validator that parses every part of a comma-separated list; parts that are not text stay."""

    def parse_parts(value: Any) -> Any:
        try:
            return tuple(parse(part) if isinstance(part, str) else part for part in _parts(value))
        except NewsletterError as error:
            raise ValueError(str(error)) from None

    return parse_parts


def _keys(value: Any) -> Any:
    """Return pairs of id and key. Errors name a key by its position: an id may be part of a key with a comma."""
    pairs = tuple(tuple(part.partition(":")[::2]) for part in _parts(value)) if isinstance(value, str) else value
    for position, (name, key) in enumerate(pairs, start=1):
        if not (name.isascii() and name.isalnum() and len(name) <= 8):
            raise ValueError(f"key {position} needs an id of one to eight letters or digits and a colon, as in k1:...")
        if len(key) < MIN_KEY_CHARACTERS:
            raise ValueError(f"key {position} has fewer than {MIN_KEY_CHARACTERS} characters")
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("two keys have the same id")
    return pairs


def _networks(value: Any) -> Any:
    try:
        return tuple(_network(part) if isinstance(part, str) else part for part in _parts(value))
    except ValueError as error:
        raise ValueError(f"{error}; enter proxies like 10.0.0.1 or 10.0.0.0/8") from None


def _network(value: str) -> IPv4Network | IPv6Network:
    """Return a network; IPv4 in IPv6 notation (RFC 4291 section 2.5.5.2) is IPv4."""
    network = ip_network(value)
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    return ip_network((mapped, network.prefixlen - 96)) if mapped and network.prefixlen >= 96 else network


class Settings(BaseModel):
    """The operator's settings, immutable. Secrets are hidden from repr."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    database_url: str = Field(default="", repr=False)
    redis_url: str | None = Field(default=None, repr=False)
    smtp_url: Annotated[tuple[Relay, ...], BeforeValidator(_each(Relay.parse))] = Field(default=(), repr=False)
    ehlo_name: str = Field(default_factory=socket.getfqdn, min_length=1)
    base_url: str = "http://localhost:8000"
    desk_url: str | None = None  # the origin of the desk; None: that of BASE_URL
    service_sender: str | None = None  # the address from which the service itself writes to operators
    oidc_issuer: str | None = None  # of the OpenID provider with which operators may sign in
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = Field(default=None, repr=False)
    oidc_name: str = "your organization"  # of the provider, on the button
    secret_keys: Annotated[tuple[tuple[str, str], ...], BeforeValidator(_keys)] = Field(default=(), repr=False)
    data_dir: Path = Path("var")
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_networks)] = ()
    feed_allow: Annotated[tuple[AllowedHost, ...], BeforeValidator(_each(AllowedHost.parse))] = ()
    metrics_token: str | None = Field(default=None, repr=False)
    # Confirmation letters in an hour; a letter over them waits in the slow lane.
    confirmations_per_host: int = Field(default=10, ge=1)  # IPv4 /32, IPv6 /64
    confirmations_per_network: int = Field(default=60, ge=1)  # IPv4 /24, IPv6 /48
    confirmations_per_domain: int = Field(default=100, ge=1)  # of the recipients
    confirmations_per_hour: int = Field(default=20_000, ge=1)  # all of them

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: str) -> str:
        try:
            url = make_url(value or "sqlite:///file")
        except (ArgumentError, ValueError):  # ValueError for an invalid port, such as a password with a "/"
            raise ValueError("this is not a database URL") from None
        if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
            raise ValueError("name a file after sqlite:///; each connection would get its own database in memory")
        if url.drivername not in ("sqlite", "postgresql", "postgresql+psycopg"):
            raise ValueError("use sqlite:///... or postgresql+psycopg://...")
        return value.replace("postgresql:", "postgresql+psycopg:", 1) if url.drivername == "postgresql" else value

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, value: str | None) -> str | None:
        if value and value.partition("://")[0] not in REDIS_SCHEMES:
            raise ValueError("this is not a Redis URL, such as redis://localhost:6379/0")
        if value and not value.startswith("redis+socket:") and not _is_redis(value):
            raise ValueError("its host, port or database number is invalid")
        return value or None

    @field_validator("ehlo_name")
    @classmethod
    def _check_ehlo_name(cls, value: str) -> str:
        if not EHLO_NAME.fullmatch(value):
            raise ValueError("enter this machine's full name, such as mail.example.org")
        return value

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        if not _is_site(value, may_have_path=True):
            raise ValueError("enter the site's URL, such as https://letters.example.org or https://example.org/letters")
        if len(value) > MAX_BASE_URL_CHARACTERS:
            raise ValueError(
                f"a site's address of more than {MAX_BASE_URL_CHARACTERS} characters does not fit a letter's header"
            )
        return value.rstrip("/")

    @field_validator("desk_url")
    @classmethod
    def _check_desk_url(cls, value: str | None) -> str | None:
        if value and not _is_site(value):
            raise ValueError("enter the desk's URL without a path, such as https://desk.example.org")
        return value.rstrip("/") if value else None

    @field_validator("service_sender")
    @classmethod
    def _check_service_sender(cls, value: str | None) -> str | None:
        """Require an address that fits a header: ASCII, with its domain as A-labels."""
        if value and not SENDER.fullmatch(value):
            raise ValueError("enter the address alone, in plain letters, such as desk@example.org")
        return value or None

    @field_validator("oidc_issuer")
    @classmethod
    def _check_oidc_issuer(cls, value: str | None) -> str | None:
        if value and not _is_issuer(value):
            raise ValueError("enter the provider's address as it writes it itself, such as https://id.example.org")
        return value or None

    @model_validator(mode="after")
    def _check_provider(self) -> "Settings":
        if bool(self.oidc_issuer) != bool(self.oidc_client_id):
            raise ValueError(f"{PREFIX}OIDC_ISSUER and {PREFIX}OIDC_CLIENT_ID belong together; set both or none")
        return self

    @field_validator("metrics_token")
    @classmethod
    def _check_metrics_token(cls, value: str | None) -> str | None:
        if value and not (len(value) >= MIN_TOKEN_CHARACTERS and TOKEN.fullmatch(value)):
            raise ValueError(
                f"enter at least {MIN_TOKEN_CHARACTERS} characters, letters, digits and any of . _ ~ + / -"
            )
        return value or None

    @property
    def database(self) -> str:
        """The URL of the database; by default, of a SQLite file in the data folder."""
        if self.database_url:
            return self.database_url
        file = URL.create("sqlite", database=str(self.data_dir.resolve() / "newsletter.db"))
        return file.render_as_string(hide_password=False)

    @property
    def sqlite_file(self) -> Path | None:
        """The file of the SQLite database; None on PostgreSQL."""
        url = make_url(self.database)
        return Path(url.database or "") if url.get_backend_name() == "sqlite" else None

    @property
    def base_path(self) -> str:
        """The path of BASE_URL, under which the site lives: "/letters"; "" if it has a host of its own."""
        return urlsplit(self.base_url).path.rstrip("/")

    @property
    def site_origin(self) -> str:
        """The scheme and host of the site's pages, without its path."""
        return "://".join(urlsplit(self.base_url)[:2])

    @property
    def is_public_http(self) -> bool:
        """Whether others than this machine get links that are not encrypted."""
        return self.base_url.startswith("http://") and not is_loopback(urlsplit(self.base_url).hostname or "")

    @property
    def desk_origin(self) -> str:
        """The scheme and host of the desk's pages."""
        return "://".join(urlsplit(self.desk_url or self.base_url)[:2])

    @property
    def has_desk_host(self) -> bool:
        """Whether the desk has an origin of its own, apart from the site's."""
        return self.desk_origin != self.site_origin

    @property
    def desk_problem(self) -> str | None:
        """Why the desk cannot be opened, and what to do; None if it can."""
        if not self.has_desk_host and self.base_path:
            return (
                "The site lives under a path, so other pages share its origin and could act in an operator's name. "
                "Give the desk an origin of its own: NEWSLETTER_DESK_URL=https://desk.example.org"
            )
        if self.desk_origin.startswith("http://") and not self.is_loopback_desk:
            return (
                "The desk needs HTTPS: over plain HTTP anybody on the way can read passwords and act in an operator's "
                "name. Put a proxy with a certificate in front, and give its address: NEWSLETTER_BASE_URL=https://..."
            )
        return None

    @property
    def is_loopback_desk(self) -> bool:
        """Whether only this machine can reach the desk."""
        return is_loopback(urlsplit(self.desk_origin).hostname or "")

    @property
    def confirmation_limits(self) -> tuple[int, int, int, int]:
        """The confirmation letters in an hour for a host, a network, a domain and overall."""
        per_recipient = self.confirmations_per_domain, self.confirmations_per_hour
        return self.confirmations_per_host, self.confirmations_per_network, *per_recipient

    @property
    def is_local(self) -> bool:
        """Whether BASE_URL is a loopback address, so that only this machine can reach the site."""
        return urlsplit(self.base_url).hostname in LOOPBACK


def _is_redis(value: str) -> bool:
    try:
        url = urlsplit(value)
        return bool(url.hostname) and url.port != 0 and (url.path.strip("/") or "0").isdecimal()
    except ValueError:  # an invalid port
        return False


def _is_issuer(value: str) -> bool:
    """Whether the value is an issuer (OpenID Connect Discovery 1.0 section 3): HTTPS, or HTTP on this machine."""
    try:
        url = urlsplit(value)
        host, is_complete = url.hostname or "", url.port != 0
    except ValueError:
        return False
    is_private = url.scheme == "https" or (url.scheme == "http" and is_loopback(host))
    is_plain = value.isascii() and value.isprintable() and not set(value) & set(' "<>\\^`{|}@')
    return bool(host) and is_complete and is_private and is_plain and not url.query and not url.fragment


def _is_site(value: str, *, may_have_path: bool = False) -> bool:
    """Whether the value is an HTTP URL of a host alone, or also of a path of plain names, without a query."""
    try:
        url = urlsplit(value)
        has_host = bool(url.hostname) and url.port != 0
    except ValueError:  # an invalid port, or empty brackets
        return False
    is_plain = value.isascii() and value.isprintable() and not set(value) & set(' "<>\\^`{|}@')
    path = url.path.rstrip("/")
    is_whole = url.scheme in ("http", "https") and value.rstrip("/") == f"{url.scheme}://{url.netloc}{path}"
    return is_plain and has_host and is_whole and (not path or (may_have_path and bool(SITE_PATH.fullmatch(path))))


def load(environ: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env"), **options: Any) -> Settings:
    """Read the settings. `options` (of the command line) take precedence. Raises Misconfigured naming every error."""
    # No interpolation: ${...} in a password is part of the password.
    from_file = dotenv_values(dotenv, interpolate=False) if dotenv and dotenv.is_file() else {}
    variables = {**from_file, **(os.environ if environ is None else environ)}
    ours = {name: value for name, value in variables.items() if name.startswith(PREFIX) and value}
    values, problems = _values(ours)
    try:
        settings = Settings(**{**values, **options})
    except ValidationError as error:
        problems += [
            f"{PREFIX}{str(e['loc'][0]).upper() + ': ' if e['loc'] else ''}{e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        ]
    if problems:
        raise Misconfigured("These settings are invalid:\n" + "\n".join(f"  {line}" for line in problems))
    return settings


def _values(variables: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Return values by field name, with the content of _FILE settings, and the problems with names and files."""
    known = {PREFIX + field.upper(): field for field in Settings.model_fields}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, value in sorted(variables.items()):
        setting = name.removesuffix("_FILE")
        if name in known:
            values[known[name]] = value
        elif setting == name or setting not in known:
            problems.append(f"{name}: there is no setting with that name")
        elif setting in variables:
            problems.append(f"{name}: {setting} is set as well; keep one of them")
        else:
            try:
                values[known[setting]] = _read(Path(value))
            except ValueError as error:
                problems.append(f"{name}: {error}")
    return values, problems


def _read(path: Path) -> str:
    """Return a file's content. Its errors omit the path, which may be the secret itself, entered by mistake."""
    try:
        content = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"cannot read the file: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError("the file is not UTF-8 text") from None
    if not content:
        raise ValueError("the file is empty")
    return content
