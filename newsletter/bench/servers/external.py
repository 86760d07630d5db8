"""Checks of the servers that the user gives to demo and benchmark: each must be usable and unused."""

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
PROBE_TIMEOUTS = Timeouts(connect=10, greeting=10, command=10)


def check_unused(settings: Settings, *, program: str = "demo") -> dict[str, str]:
    """Return name and version of each server in the settings, by part: {"database": "PostgreSQL 15"}.

    `program` is the word for messages and suggested database names. Writes nothing. Raises NewsletterError if a server
    cannot be used, or is in use.
    """
    servers = {}
    if settings.database_url:
        servers["database"] = _database(settings, program)
    if settings.redis_url:
        servers["redis"] = _redis(settings.redis_url, program)
    if settings.smtp_url:
        servers["relay"] = _relay(settings)
    return servers


def _database(settings: Settings, program: str) -> str:
    if settings.database.startswith("sqlite"):
        raise Misconfigured(
            f"NEWSLETTER_DATABASE_URL: name a PostgreSQL database; without it the {program} creates its own database"
        )
    with startup.open_database(settings) as database, database.engine.connect() as connection:
        if _is_used(connection):
            raise Refused(
                f"NEWSLETTER_DATABASE_URL: the database is not empty, and the {program} needs an empty one. "
                f"Create it: createdb newsletter_{program} "
                f"(dropdb newsletter_{program} deletes an earlier one)"
            )
        version = connection.scalar(text("SHOW server_version"))
        return f"PostgreSQL {str(version).partition('.')[0]}"


def _is_used(connection: Connection) -> bool:
    """Return whether the database holds a newsletter or foreign tables; our schema without a newsletter is unused."""
    tables = set(inspect(connection).get_table_names())
    foreign = tables - metadata.tables.keys() - {"alembic_version"}
    has_newsletters = Newsletter.__tablename__ in tables and connection.scalar(select(Newsletter.id).limit(1))
    return bool(foreign or has_newsletters)


def _redis(url: str, program: str) -> str:
    try:
        with broker.connect(url) as app, app.connection_for_write() as connection:
            channel: Any = connection.default_channel
            redis = channel.client
            version, clients, ours = redis.info("server")["redis_version"], redis.client_list(), redis.client_id()
    except ValueError:
        raise Misconfigured("NEWSLETTER_REDIS_URL: its port or database number is not a number") from None
    except (OperationalError, RedisError, OSError) as error:
        raise NewsletterError(
            f"NEWSLETTER_REDIS_URL: Redis cannot be used: {str(error).partition(chr(10))[0]}"
        ) from error
    _refuse_other_clients(clients, ours, program)
    return f"Redis {version.partition('.')[0]}"


def _refuse_other_clients(clients: list[dict[str, str]], ours: int, program: str) -> None:
    """Refuse a shared Redis database: workers of another service would receive these wake-ups, and ours theirs."""
    number = next(client["db"] for client in clients if client["id"] == str(ours))
    others = [client for client in clients if client["db"] == number and client["id"] != str(ours)]
    if others:
        raise Refused(
            f"NEWSLETTER_REDIS_URL: another client is connected to database {number} of this Redis and would receive "
            f"the {program}'s wake-ups. Name an unused one by the number at the URL's end: redis://localhost:6379/9"
        )


def _relay(settings: Settings) -> str:
    for relay in settings.smtp_url:
        if trouble := probe(relay, ehlo_name=settings.ehlo_name, timeouts=PROBE_TIMEOUTS):
            raise NewsletterError(
                f"NEWSLETTER_SMTP_URL: {trouble.place} cannot be used: {trouble.reason} "
                f"(Postfix has a sink that accepts every letter: {SINK})"
            )
    places = " and ".join(relay.endpoint for relay in settings.smtp_url)
    return f"relay{'s'[: len(settings.smtp_url) > 1]} {places}"


@contextmanager
def explain_as_options() -> Iterator[None]:
    """Replace setting names in errors by command-line options: the user has set no environment variable."""
    options = {"DATABASE_URL": "--database", "REDIS_URL": "--redis", "SMTP_URL": "--relay"}
    try:
        yield
    except NewsletterError as error:
        message = str(error)
        for setting, option in options.items():
            message = message.replace(PREFIX + setting, option)
        kind = Misconfigured if isinstance(error, Misconfigured) else NewsletterError
        raise kind(message) from error
