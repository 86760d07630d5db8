"""The checks of every process at startup."""

import os
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from newsletter import startup
from newsletter.cli.serve import embedded_app
from newsletter.errors import Misconfigured, NewsletterError
from newsletter.keys import Keyring
from newsletter.mail.transport.outbox import Outbox
from newsletter.queues.wakeups import Queue
from newsletter.settings import Settings
from newsletter.store import private_files
from newsletter.store.database import Database
from newsletter.upgrade import bring_up_to_date
from tests.builders import KEYRING
from tests.clock import NOON
from workers.context import Context
from workers.jobs import handle_wakeup


def at_revision(database, number):
    with database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": number})


def test_a_current_database_is_accepted(database):
    startup.check(database, KEYRING, now=NOON)


def test_a_database_that_a_later_release_has_migrated_is_accepted(database):
    at_revision(database, "9999")
    startup.check(database, KEYRING, now=NOON)


def test_a_database_that_is_behind_is_refused_with_the_command_to_run(database):
    at_revision(database, "0001")
    with pytest.raises(Misconfigured, match="newsletter migrate"):
        startup.check(database, KEYRING, now=NOON)


def permissions(folder: Path) -> dict[str, str]:
    """Return the permissions of a folder and of everything in it."""
    return {
        str(path.relative_to(folder.parent)): f"{stat.S_IMODE(path.stat().st_mode):o}"
        for path in sorted([folder, *folder.rglob("*")])
    }


@contextmanager
def permissive_umask() -> Iterator[None]:
    """Let this process's new files be for everybody, unless code says otherwise."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def started(folder: Path) -> dict[str, str]:
    """Start the service with a umask that takes nothing away; return the permissions while it runs."""
    settings = Settings(data_dir=folder)
    with permissive_umask():
        bring_up_to_date(settings, actor="tests", now=NOON)
        with embedded_app(settings) as app:
            app.state.site.offered.get()
            Outbox(settings.data_dir / "outbox").send(iter(()), print, stop=lambda: False)
            return permissions(settings.data_dir)


PRIVATE = {
    "var": "700",
    "var/newsletter.db": "600",
    "var/newsletter.db-shm": "600",
    "var/newsletter.db-wal": "600",
    "var/secret_key": "600",
    "var/outbox": "700",
    "var/outbox/cur": "700",
    "var/outbox/new": "700",
    "var/outbox/tmp": "700",
}


def test_all_files_are_the_owners_alone_whatever_the_umask_is_and_those_of_an_older_release_become_so(tmp_path):
    folder = tmp_path / "var"
    assert started(folder) == PRIVATE
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    assert started(folder) == PRIVATE


def test_a_folder_for_everybody_is_left_alone_and_said(tmp_path, caplog):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    startup.keep_private(Settings(data_dir=shared))
    assert [record.getMessage() for record in caplog.records] == [
        f"personal data may be readable for others: {shared} is a folder for everybody"
    ]
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777


def test_a_folder_in_which_others_have_folders_is_left_alone_and_said(tmp_path, caplog):
    """The working directory / makes /var of the default."""
    for name in ("lib", "lost+found", ".cache"):
        (tmp_path / "var" / name).mkdir(parents=True)
    (tmp_path / "var").chmod(0o755)
    settings = Settings(data_dir=tmp_path / "var")
    startup.keep_private(settings)
    assert [record.getMessage() for record in caplog.records] == [
        f"personal data may be readable for others: {tmp_path}/var holds another folder, lib"
    ]
    assert permissions(tmp_path / "var")["var"] == "755"
    (tmp_path / "var/lib").rmdir()
    startup.keep_private(settings)
    assert permissions(tmp_path / "var")["var"] == "700"


def test_a_data_folder_that_holds_no_database_is_left_alone(tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "secret_key").touch(0o644)
    startup.keep_private(Settings(data_dir=tmp_path, database_url="postgresql://localhost/newsletter"))
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() == 0, reason="everything belongs to root")
def test_a_file_of_another_user_is_left_alone_and_said():
    (reason,) = private_files.restrict([Path("/etc/passwd")])
    assert reason == "others than its owner can use /etc/passwd: Operation not permitted"


@pytest.mark.parametrize("mode", [0o777, 0o750, 0o604, 0o600, 0o400])
def test_only_the_owners_permissions_stay(tmp_path, mode):
    file = tmp_path / "file"
    file.touch()
    file.chmod(mode)
    assert list(private_files.restrict([file, tmp_path / "missing"])) == []
    assert stat.S_IMODE(file.stat().st_mode) == mode & 0o700


@pytest.mark.parametrize(
    ("url", "is_warned_of"),
    [
        ("http://letters.example.org", True),
        ("http://192.168.1.5:8000", True),
        ("https://letters.example.org", False),
        ("http://localhost:8000", False),
        ("http://127.0.0.2:8000", False),
        ("http://[::1]:8000", False),
    ],
)
def test_an_address_without_https_is_warned_of_if_others_get_links_to_it(caplog, url, is_warned_of):
    startup.warn_of_public_http(Settings(base_url=url))
    assert ["RFC 8058" in record.getMessage() for record in caplog.records] == [True] * is_warned_of


@pytest.fixture
def standby_url(postgresql_url):
    """The URL of a database that refuses writes by default, as a standby does."""

    def alter(how: str) -> None:
        with closing(Database(postgresql_url)) as database, database.writing() as session:
            session.execute(text("SET TRANSACTION READ WRITE"))
            name = session.scalar(text("SELECT current_database()"))
            session.execute(text(f"ALTER DATABASE {name} {how}"))

    alter("SET default_transaction_read_only = on")
    yield postgresql_url
    alter("RESET default_transaction_read_only")


def test_a_read_only_server_such_as_a_standby_is_one_clear_error(standby_url, tmp_path):
    keys = (("k1", "a" * 40),)
    settings = Settings(database_url=standby_url, secret_keys=keys, data_dir=tmp_path)
    with pytest.raises(NewsletterError, match=r"DATABASE_URL: the database cannot be used: .*read-only"):
        bring_up_to_date(settings, actor="tests", now=NOON)
    with (
        closing(Database(standby_url)) as database,
        pytest.raises(NewsletterError, match="read-only"),
        startup.explain_unreachable(settings),
    ):
        startup.check(database, Keyring(keys), now=NOON)


def test_a_worker_waits_for_a_database_that_is_read_only_at_its_start(postgresql_url, caplog):
    def build() -> Context:
        with closing(Database(postgresql_url)) as database, database.writing() as session:
            session.execute(text("SET TRANSACTION READ ONLY"))
            session.execute(text("CREATE TABLE never (id int)"))
        raise AssertionError

    assert handle_wakeup(Queue.URGENT, build) is False
    (record,) = [each for each in caplog.records if "cannot run" in each.getMessage()]
    assert record.levelname == "WARNING"
    assert "read-only transaction" in record.getMessage()
