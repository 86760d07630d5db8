"""Where the service keeps its data."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from newsletter.setting_groups.group import SettingGroup

REDIS_SCHEMES = ("redis", "rediss", "redis+socket")


class StorageSettings(SettingGroup):
    """The database, Redis, and the folder of everything else."""

    database_url: str = Field(default="", repr=False)
    redis_url: str | None = Field(default=None, repr=False)
    data_dir: Path = Path("var")

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


def _is_redis(value: str) -> bool:
    try:
        url = urlsplit(value)
        return bool(url.hostname) and url.port != 0 and (url.path.strip("/") or "0").isdecimal()
    except ValueError:  # an invalid port
        return False
