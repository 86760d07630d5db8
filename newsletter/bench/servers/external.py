"""Servers: what demo and benchmark can run on in place of their own. Each is asked before anything is written."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from sqlalchemy import Connection, inspect, select, text

from newsletter import startup
from newsletter.errors import Misconfigured, NewsletterError, Refused
from newsletter.mail.transport.smtp.smtp_transport import probe
from newsletter.mail.transport.smtp.timeouts import Timeouts
from newsletter.migrations.schema import metadata
from newsletter.newsletters import Newsletter
from newsletter.queues import broker
from newsletter.settings import PREFIX, Settings

SINK = "smtp-sink -c 127.0.0.1:2525 100 (as root: -u nobody)"
HURRY = Timeouts(connect=10, greeting=10, command=10)


def asked(found: Settings, *, show: str = "demo") -> dict[str, str]:
    """What each server is that the settings name, by its part: {"database": "PostgreSQL 15"}.

    `show` is what wants to use them, in a word. Raises NewsletterError where one cannot be used, or is used by somebody
    else.
    """
    answers = {}
    if found.database_url:
        answers["database"] = _database(found, show)
    if found.redis_url:
        answers["redis"] = _redis(found.redis_url, show)
    if found.smtp_url:
        answers["relay"] = _relay(found)
    return answers


def _database(found: Settings, show: str) -> str:
    if found.database.startswith("sqlite"):
        raise Misconfigured(
            f"NEWSLETTER_DATABASE_URL: name a PostgreSQL database; without it the {show} has a database of its own"
        )
    with startup.open_database(found) as database, database.engine.connect() as connection:
        if _is_used(connection):
            raise Refused(
                f"NEWSLETTER_DATABASE_URL: something is in that database, and the {show} writes only into an empty "
                f"one. Make it with: createdb newsletter_{show} "
                f"(dropdb newsletter_{show} deletes an earlier {show}'s)"
            )
        version = connection.scalar(text("SHOW server_version"))
        return f"PostgreSQL {str(version).partition('.')[0]}"


def _is_used(connection: Connection) -> bool:
    """Whether it holds a newsletter, or anything that is not ours. A bare schema of ours is as good as nothing."""
    tables = set(inspect(connection).get_table_names())
    foreign = tables - metadata.tables.keys() - {"alembic_version"}
    has_newsletters = Newsletter.__tablename__ in tables and connection.scalar(select(Newsletter.id).limit(1))
    return bool(foreign or has_newsletters)


def _redis(url: str, show: str) -> str:
    try:
        with broker.connect(url) as app, app.connection_for_write() as connection:
            channel: Any = connection.default_channel
            redis = channel.client
            version, clients, ours = redis.info("server")["redis_version"], redis.client_list(), redis.client_id()
    except ValueError:
        raise Misconfigured("NEWSLETTER_REDIS_URL: its port or the number after it cannot be read") from None
    except (OperationalError, RedisError, OSError) as error:
        raise NewsletterError(
            f"NEWSLETTER_REDIS_URL: Redis cannot be used: {str(error).partition(chr(10))[0]}"
        ) from error
    _refuse_company(clients, ours, show)
    return f"Redis {version.partition('.')[0]}"


def _refuse_company(clients: list[dict[str, str]], ours: int, show: str) -> None:
    """Rings are heard by whoever listens: another service's workers would answer the show's, and the show's theirs."""
    here = next(client["db"] for client in clients if client["id"] == str(ours))
    others = [client for client in clients if client["db"] == here and client["id"] != str(ours)]
    if others:
        raise Refused(
            f"NEWSLETTER_REDIS_URL: somebody else is connected to database {here} of that Redis, and would hear the "
            f"{show}'s bells. Name one that is free, by the number at the end of the URL: redis://localhost:6379/9"
        )


def _relay(found: Settings) -> str:
    for relay in found.smtp_url:
        if trouble := probe(relay, ehlo_name=found.ehlo_name, timeouts=HURRY):
            raise NewsletterError(
                f"NEWSLETTER_SMTP_URL: {trouble.place} cannot be used: {trouble.reason} "
                f"(one that takes every letter is Postfix's: {SINK})"
            )
    places = " and ".join(relay.endpoint for relay in found.smtp_url)
    return f"relay{'s'[: len(found.smtp_url) > 1]} {places}"


@contextmanager
def explain_as_options() -> Iterator[None]:
    """Name the command line's options in errors: their readers have set no environment variable."""
    options = {"DATABASE_URL": "--database", "REDIS_URL": "--redis", "SMTP_URL": "--relay"}
    try:
        yield
    except NewsletterError as error:
        said = str(error)
        for setting, option in options.items():
            said = said.replace(PREFIX + setting, option)
        kind = Misconfigured if isinstance(error, Misconfigured) else NewsletterError
        raise kind(said) from error
