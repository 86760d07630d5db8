"""An expected failure prints one sentence that names the setting or option to correct, and sets the exit code."""

import socket
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import pytest
from sqlalchemy import make_url, text

from newsletter.cli.serve import listening
from tests.servers.databases import opened


@pytest.fixture
def busy_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


@pytest.fixture
def stranger(postgresql_url) -> Iterator[str]:
    """The URL of a database with the name of a role that may do nothing in it."""
    name = f"stranger_{uuid4().hex}"
    with closing(opened(postgresql_url)) as database:
        with database.engine.begin() as connection:
            connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'hunter2'"))
        yield make_url(postgresql_url).set(username=name, password="hunter2").render_as_string(hide_password=False)
        with database.engine.begin() as connection:
            connection.execute(text(f"DROP ROLE {name}"))


@pytest.mark.parametrize("words", [("migrate",), ("doctor",), ("issues", "status")])
def test_an_unreachable_database_is_named_without_its_password(failed, monkeypatch, tmp_path, words):
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/x")
    monkeypatch.setenv("NEWSLETTER_DATA_DIR", str(tmp_path))
    code, errors = failed(*words)
    assert code == 1
    assert errors.startswith("NEWSLETTER_DATABASE_URL: the database cannot be used: ")
    assert "refused" in errors
    assert errors.count("\n") == 1
    assert "hunter2" not in errors


def test_serve_does_not_start_without_its_database(failed, monkeypatch, tmp_path):
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", f"sqlite:///{tmp_path}/nowhere/x.db")
    monkeypatch.setenv("NEWSLETTER_DATA_DIR", str(tmp_path))
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    errors = "NEWSLETTER_DATABASE_URL: the database cannot be used: unable to open database file\n"
    assert failed("serve", "--port", str(port)) == (1, errors)


@pytest.mark.parametrize("words", [("migrate",), ("doctor",), ("issues", "status")])
def test_an_unknown_connection_option_is_named(failed, monkeypatch, tmp_path, words):
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/x?nonsense=1")
    monkeypatch.setenv("NEWSLETTER_DATA_DIR", str(tmp_path))
    errors = 'NEWSLETTER_DATABASE_URL: the database cannot be used: invalid connection option "nonsense"\n'
    assert failed(*words) == (1, errors)


def test_missing_permission_in_the_database_is_named(failed, monkeypatch, tmp_path, stranger):
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", stranger)
    monkeypatch.setenv("NEWSLETTER_DATA_DIR", str(tmp_path))
    code, errors = failed("migrate")
    assert (code, errors.count("\n")) == (1, 1)
    assert errors.startswith("NEWSLETTER_DATABASE_URL: the database cannot be used: permission denied for ")


@pytest.mark.parametrize("words", [("migrate",), ("doctor",)])
@pytest.mark.parametrize("setting", ["DATABASE_URL", "DATA_DIR"])
def test_a_file_that_is_not_a_database_is_named_and_not_changed(failed, monkeypatch, tmp_path, words, setting):
    file = tmp_path / "newsletter.db"
    file.write_text("Dear diary, " * 200)
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", f"sqlite:///{file}" if setting == "DATABASE_URL" else "")
    monkeypatch.setenv("NEWSLETTER_DATA_DIR", str(tmp_path))
    assert failed(*words) == (1, f"NEWSLETTER_{setting}: the database cannot be used: file is not a database\n")
    assert file.read_text() == "Dear diary, " * 200


@pytest.mark.parametrize("words", [("migrate",), ("doctor",)])
def test_an_impossible_data_folder_is_named(failed, monkeypatch, tmp_path, words):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", "")
    monkeypatch.setenv("NEWSLETTER_DATA_DIR", str(tmp_path / "file" / "var"))
    assert failed(*words) == (1, f"NEWSLETTER_DATA_DIR: {tmp_path}/file/var cannot be used: Not a directory\n")


@pytest.mark.parametrize("command", ["serve", "demo"])
@pytest.mark.parametrize("port", ["0", "-1", "65536", "99999"])
def test_an_invalid_port_is_a_usage_error(newsletter, command, port):
    assert newsletter(command, "--port", port).exit_code == 2


def test_a_busy_port_is_refused_before_the_service_starts(failed, database, busy_port):
    errors = f"Cannot listen on 127.0.0.1, port {busy_port}; choose another port with --port.\n"
    assert failed("serve", "--port", str(busy_port)) == (1, errors)


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("digests", "add", "--newsletter", "three", "--cron", "7"), "--cron"),
        (("digests", "add", "--newsletter", "three", "--cron=0 7 * * *", "--zone=Nowhere"), "--zone"),
        (("feeds", "add", "nowhere", "--newsletter", "three"), "URL"),
    ],
)
def test_a_refusal_names_the_argument_or_option(failed, database, words, field):
    code, errors = failed(*words)
    assert (code, errors.partition(": ")[0]) == (1, field)


def test_a_refusal_writes_the_option_with_dashes(failed, database):
    words = ("newsletters", "add", "another", "--name", "N", "--publisher", "P", "--sender", "a@press.example")
    code, errors = failed(*words, "--postal-address", " ")
    assert (code, errors.partition(": ")[0]) == (1, "--postal-address")


def test_a_misspelled_command_is_answered_with_a_suggestion(failed):
    code, errors = failed("feedz")
    assert code == 2
    assert "Did you mean 'feeds'?" in errors
