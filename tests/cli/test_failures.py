"""What goes wrong is one sentence that says what to mend, and an exit code."""

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
    """The URL of a database for somebody who owns nothing in it."""
    name = f"stranger_{uuid4().hex}"
    with closing(opened(postgresql_url)) as database:
        with database.engine.begin() as connection:
            connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'hunter2'"))
        yield make_url(postgresql_url).set(username=name, password="hunter2").render_as_string(hide_password=False)
        with database.engine.begin() as connection:
            connection.execute(text(f"DROP ROLE {name}"))


@pytest.mark.parametrize("words", [("migrate",), ("doctor",), ("issues", "status")])
def test_a_database_that_is_away_is_named_without_its_password(told, monkeypatch, tmp_path, words):
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/x")
    monkeypatch.setenv("NEWSLETTER_DATA_DIR", str(tmp_path))
    code, said = told(*words)
    assert code == 1
    assert said.startswith("NEWSLETTER_DATABASE_URL: the database cannot be used: ")
    assert "refused" in said
    assert said.count("\n") == 1
    assert "hunter2" not in said


def test_serve_does_not_begin_without_its_database(told, monkeypatch, tmp_path):
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", f"sqlite:///{tmp_path}/nowhere/x.db")
    monkeypatch.setenv("NEWSLETTER_DATA_DIR", str(tmp_path))
    with listening("127.0.0.1", 0) as door:
        port = door.getsockname()[1]
    said = "NEWSLETTER_DATABASE_URL: the database cannot be used: unable to open database file\n"
    assert told("serve", "--port", str(port)) == (1, said)


@pytest.mark.parametrize("words", [("migrate",), ("doctor",), ("issues", "status")])
def test_an_option_that_the_database_does_not_know_is_named(told, monkeypatch, tmp_path, words):
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/x?nonsense=1")
    monkeypatch.setenv("NEWSLETTER_DATA_DIR", str(tmp_path))
    said = 'NEWSLETTER_DATABASE_URL: the database cannot be used: invalid connection option "nonsense"\n'
    assert told(*words) == (1, said)


def test_a_database_where_we_may_do_nothing_is_named(told, monkeypatch, tmp_path, stranger):
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", stranger)
    monkeypatch.setenv("NEWSLETTER_DATA_DIR", str(tmp_path))
    code, said = told("migrate")
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith("NEWSLETTER_DATABASE_URL: the database cannot be used: permission denied for ")


@pytest.mark.parametrize("words", [("migrate",), ("doctor",)])
@pytest.mark.parametrize("setting", ["DATABASE_URL", "DATA_DIR"])
def test_a_file_that_is_no_database_is_told_and_left_as_it_is(told, monkeypatch, tmp_path, words, setting):
    file = tmp_path / "newsletter.db"
    file.write_text("Dear diary, " * 200)
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", f"sqlite:///{file}" if setting == "DATABASE_URL" else "")
    monkeypatch.setenv("NEWSLETTER_DATA_DIR", str(tmp_path))
    assert told(*words) == (1, f"NEWSLETTER_{setting}: the database cannot be used: file is not a database\n")
    assert file.read_text() == "Dear diary, " * 200


@pytest.mark.parametrize("words", [("migrate",), ("doctor",)])
def test_a_data_folder_that_cannot_be_is_named(told, monkeypatch, tmp_path, words):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", "")
    monkeypatch.setenv("NEWSLETTER_DATA_DIR", str(tmp_path / "file" / "var"))
    assert told(*words) == (1, f"NEWSLETTER_DATA_DIR: {tmp_path}/file/var cannot be used: Not a directory\n")


@pytest.mark.parametrize("command", ["serve", "demo"])
@pytest.mark.parametrize("port", ["0", "-1", "65536", "99999"])
def test_a_port_that_is_none_is_a_usage_error(newsletter, command, port):
    assert newsletter(command, "--port", port).exit_code == 2


def test_a_busy_port_is_noticed_before_anything_begins(told, database, busy_port):
    said = f"Nothing can listen on 127.0.0.1, port {busy_port}; name another one with --port.\n"
    assert told("serve", "--port", str(busy_port)) == (1, said)


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("digests", "add", "--newsletter", "three", "--cron", "7"), "--cron"),
        (("digests", "add", "--newsletter", "three", "--cron=0 7 * * *", "--zone=Nowhere"), "--zone"),
        (("feeds", "add", "nowhere", "--newsletter", "three"), "URL"),
    ],
)
def test_a_refusal_says_what_is_wrong(told, database, words, field):
    code, said = told(*words)
    assert (code, said.partition(": ")[0]) == (1, field)


def test_a_refusal_names_the_option_by_its_dashes(told, database):
    words = ("newsletters", "add", "new", "--name", "N", "--publisher", "P", "--sender", "a@press.example")
    code, said = told(*words, "--postal-address", " ")
    assert (code, said.partition(": ")[0]) == (1, "--postal-address")


def test_a_command_that_does_not_exist_is_answered_with_the_one_that_was_meant(told):
    code, said = told("feedz")
    assert code == 2
    assert "Did you mean 'feeds'?" in said
