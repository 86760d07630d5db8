"""Settings: environment variables with the prefix NEWSLETTER_, read once, at the edge.

A value comes from `NEWSLETTER_X`, from the file that `NEWSLETTER_X_FILE` names (a mounted secret), or from `.env`.
Unknown names and malformed values are reported together, in one message that names all of them and repeats no secret.
"""

import os
import socket
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from newsletter.errors import Misconfigured, NewsletterError
from newsletter.relays import Relay

PREFIX = "NEWSLETTER_"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _parts(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _relays(value: Any) -> Any:
    try:
        return tuple(Relay.parse(part) if isinstance(part, str) else part for part in _parts(value))
    except NewsletterError as error:
        raise ValueError(str(error)) from None


def _keys(value: Any) -> Any:
    pairs = [tuple(part.partition(":")[::2]) for part in _parts(value)] if isinstance(value, str) else value
    for name, key in pairs:
        if not (name.isascii() and name.isalnum() and len(name) <= 8):
            raise ValueError("a key's id is one to eight letters or digits, as in k1:...")
        if len(key) < 32:
            raise ValueError(f"the key {name!r} is shorter than 32 characters")
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("two keys have the same id")
    return tuple(pairs)


class Settings(BaseModel):
    """What the operator decided. Secrets are hidden from repr; nothing changes after the start."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    database_url: str = Field(default="", repr=False)
    redis_url: str | None = Field(default=None, repr=False)
    smtp_url: Annotated[tuple[Relay, ...], BeforeValidator(_relays)] = Field(default=(), repr=False)
    ehlo_name: str = Field(default_factory=socket.getfqdn, min_length=1)
    base_url: str = "http://localhost:8000"
    secret_keys: Annotated[tuple[tuple[str, str], ...], BeforeValidator(_keys)] = Field(default=(), repr=False)
    data_dir: Path = Path("var")
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_parts)] = ()
    feed_allow: Annotated[tuple[str, ...], BeforeValidator(_parts)] = ()

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        try:
            name = make_url(value).drivername if value else "sqlite"
        except ArgumentError:
            raise ValueError("this is not a database URL") from None
        if name == "postgresql":
            return value.replace("postgresql:", "postgresql+psycopg:", 1)
        if name not in ("sqlite", "postgresql+psycopg"):
            raise ValueError("the database is sqlite:///... or postgresql+psycopg://...")
        return value

    @field_validator("redis_url")
    @classmethod
    def _known_broker(cls, value: str | None) -> str | None:
        if value and urlsplit(value).scheme not in ("redis", "rediss", "redis+socket", "unix"):
            raise ValueError("this is not a Redis URL, such as redis://localhost:6379/0")
        return value or None

    @field_validator("base_url")
    @classmethod
    def _whole_url(cls, value: str) -> str:
        url = urlsplit(value)
        if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
            raise ValueError("enter the site's whole address, such as https://letters.example.org")
        return value.rstrip("/")

    @property
    def database(self) -> str:
        """The database's URL; by default a SQLite file in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'newsletter.db'}"

    @property
    def is_local(self) -> bool:
        """Whether the site is reached on this machine only, so that the outbox may be shown."""
        return urlsplit(self.base_url).hostname in LOOPBACK


def load(environ: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env"), **given: Any) -> Settings:
    """Read the settings; `given` ones (from command line options) win. Raises Misconfigured naming everything wrong."""
    written = {k: v for k, v in dotenv_values(dotenv).items() if v is not None} if dotenv and dotenv.is_file() else {}
    found = {**written, **(os.environ if environ is None else environ)}
    values, wrong = _named({k: v for k, v in found.items() if k.startswith(PREFIX)})
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
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for name, value in sorted(found.items()):
        field = name.removeprefix(PREFIX).lower()
        secret = field.removesuffix("_file")
        if field in Settings.model_fields:
            values[field] = value
        elif secret == field or secret not in Settings.model_fields:
            wrong.append(f"{name}: there is no setting of that name")
        elif PREFIX + secret.upper() in found:
            wrong.append(f"{name}: {PREFIX}{secret.upper()} is set as well; keep one of them")
        else:
            try:
                values[secret] = Path(value).read_text(encoding="utf-8").strip()
            except OSError as error:
                wrong.append(f"{name}: {error.strerror}: {value}")
    return values, wrong
