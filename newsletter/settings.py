"""Settings: environment variables with the prefix NEWSLETTER_, read once, at the edge.

A value comes from `NEWSLETTER_X`, from the file that `NEWSLETTER_X_FILE` names (a mounted secret), or from `.env`; an
empty one counts as not set. Unknown names and malformed values are reported together, in one message that names all of
them and repeats no value that may be a secret, nor the part of one.
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
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator
from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from newsletter.allowed_hosts import AllowedHost
from newsletter.errors import Misconfigured, NewsletterError
from newsletter.relays import Relay

PREFIX = "NEWSLETTER_"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
BROKERS = ("redis", "rediss", "redis+socket")
LONGEST_URL = 255  # with a token it stands in List-Unsubscribe, where a line has at most 998 characters
LEAST = 32  # characters of a secret key
LEAST_TOKEN = 16  # characters of a token: nobody guesses so many over the network
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # what can be sent after "Bearer", RFC 6750 section 2.1
EHLO = re.compile(r"[A-Za-z0-9.-]+|\[[A-Za-z0-9.:]+\]")  # a domain or an address literal, RFC 5321 section 4.1.2


def _parts(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _each(parse: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Read every part of a list by its own rule; parts that are values already stay."""

    def read(value: Any) -> Any:
        try:
            return tuple(parse(part) if isinstance(part, str) else part for part in _parts(value))
        except NewsletterError as error:
            raise ValueError(str(error)) from None

    return read


def _keys(value: Any) -> Any:
    """Pairs of id and key. What is wrong is told by its place: an id may be the piece of a key that has a comma."""
    pairs = tuple(tuple(part.partition(":")[::2]) for part in _parts(value)) if isinstance(value, str) else value
    for place, (name, key) in enumerate(pairs, start=1):
        if not (name.isascii() and name.isalnum() and len(name) <= 8):
            raise ValueError(f"number {place} has no id of one to eight letters or digits before a colon, as in k1:...")
        if len(key) < LEAST:
            raise ValueError(f"number {place} has a key of fewer than {LEAST} characters")
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("two keys have the same id")
    return pairs


def _networks(value: Any) -> Any:
    try:
        return tuple(ip_network(part) if isinstance(part, str) else part for part in _parts(value))
    except ValueError as error:
        raise ValueError(f"{error}; name proxies like 10.0.0.1 or 10.0.0.0/8") from None


class Settings(BaseModel):
    """What the operator decided. Secrets are hidden from repr; nothing changes after the start."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    database_url: str = Field(default="", repr=False)
    redis_url: str | None = Field(default=None, repr=False)
    smtp_url: Annotated[tuple[Relay, ...], BeforeValidator(_each(Relay.parse))] = Field(default=(), repr=False)
    ehlo_name: str = Field(default_factory=socket.getfqdn, min_length=1)
    base_url: str = "http://localhost:8000"
    secret_keys: Annotated[tuple[tuple[str, str], ...], BeforeValidator(_keys)] = Field(default=(), repr=False)
    data_dir: Path = Path("var")
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_networks)] = ()
    feed_allow: Annotated[tuple[AllowedHost, ...], BeforeValidator(_each(AllowedHost.parse))] = ()
    metrics_token: str | None = Field(default=None, repr=False)

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        try:
            url = make_url(value or "sqlite:///file")
        except (ArgumentError, ValueError):  # ValueError where the port is none: a password with a "/" looks like one
            raise ValueError("this is not a database URL") from None
        if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
            raise ValueError("name a file after sqlite:///; a database in memory would be another one for each reader")
        if url.drivername not in ("sqlite", "postgresql", "postgresql+psycopg"):
            raise ValueError("the database is sqlite:///... or postgresql+psycopg://...")
        return value.replace("postgresql:", "postgresql+psycopg:", 1) if url.drivername == "postgresql" else value

    @field_validator("redis_url")
    @classmethod
    def _known_broker(cls, value: str | None) -> str | None:
        if value and value.partition("://")[0] not in BROKERS:
            raise ValueError("this is not a Redis URL, such as redis://localhost:6379/0")
        if value and not value.startswith("redis+socket:") and not _is_redis(value):
            raise ValueError("its host, its port or the number after it cannot be read")
        return value or None

    @field_validator("ehlo_name")
    @classmethod
    def _one_name(cls, value: str) -> str:
        if not EHLO.fullmatch(value):
            raise ValueError("enter this machine's full name, such as mail.example.org")
        return value

    @field_validator("base_url")
    @classmethod
    def _whole_url(cls, value: str) -> str:
        # A path is refused because the pages link to each other from the root.
        if not _is_site(value):
            raise ValueError("enter the site's address without a path, such as https://letters.example.org")
        if len(value) > LONGEST_URL:
            raise ValueError(f"a site's address of more than {LONGEST_URL} characters does not fit a letter's header")
        return value.rstrip("/")

    @field_validator("metrics_token")
    @classmethod
    def _unguessable(cls, value: str | None) -> str | None:
        if value and not (len(value) >= LEAST_TOKEN and TOKEN.fullmatch(value)):
            raise ValueError(f"enter at least {LEAST_TOKEN} characters, letters, digits and any of . _ ~ + / -")
        return value or None

    @property
    def database(self) -> str:
        """The database's URL; by default a SQLite file in the data folder."""
        if self.database_url:
            return self.database_url
        file = URL.create("sqlite", database=str(self.data_dir.resolve() / "newsletter.db"))
        return file.render_as_string(hide_password=False)

    @property
    def is_local(self) -> bool:
        """Whether the site is reached on this machine only, so that the outbox may be shown."""
        return urlsplit(self.base_url).hostname in LOOPBACK


def _is_redis(value: str) -> bool:
    try:
        url = urlsplit(value)
        return bool(url.hostname) and url.port != 0 and (url.path.strip("/") or "0").isdecimal()
    except ValueError:  # no port
        return False


def _is_site(value: str) -> bool:
    try:
        url = urlsplit(value)
        named = bool(url.hostname) and url.port != 0
    except ValueError:  # no port, or brackets around nothing
        return False
    plain = value.isascii() and value.isprintable() and not set(value) & set(' "<>\\^`{|}@')
    return plain and named and url.scheme in ("http", "https") and value.rstrip("/") == f"{url.scheme}://{url.netloc}"


def load(environ: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env"), **given: Any) -> Settings:
    """Read the settings; `given` ones (from command line options) win. Raises Misconfigured naming everything wrong."""
    # Nothing is expanded: a password may hold ${...}, and means it.
    written = dotenv_values(dotenv, interpolate=False) if dotenv and dotenv.is_file() else {}
    found = {**written, **(os.environ if environ is None else environ)}
    values, wrong = _named({name: value for name, value in found.items() if name.startswith(PREFIX) and value})
    try:
        settings = Settings(**{**values, **given})
    except ValidationError as error:
        wrong += [
            f"{PREFIX}{str(e['loc'][0]).upper()}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()
        ]
    if wrong:
        raise Misconfigured("These settings cannot be used:\n" + "\n".join(f"  {line}" for line in wrong))
    return settings


def _named(found: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Values by field name, with files read; and what is wrong with the names."""
    known = {PREFIX + field.upper(): field for field in Settings.model_fields}
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for name, value in sorted(found.items()):
        setting = name.removesuffix("_FILE")
        if name in known:
            values[known[name]] = value
        elif setting == name or setting not in known:
            wrong.append(f"{name}: there is no setting of that name")
        elif setting in found:
            wrong.append(f"{name}: {setting} is set as well; keep one of them")
        else:
            try:
                values[known[setting]] = _read(Path(value))
            except ValueError as error:
                wrong.append(f"{name}: {error}")
    return values, wrong


def _read(path: Path) -> str:
    """What is in a file. Raises ValueError without the path: it may be the secret itself, put in the wrong place."""
    try:
        content = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"the file that it names cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError("the file that it names is not text in UTF-8") from None
    if not content:
        raise ValueError("the file that it names is empty")
    return content
