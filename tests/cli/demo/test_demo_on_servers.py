"""`newsletter demo` on given servers."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import inspect, text

from tests.builders import a_newsletter
from tests.servers.databases import opened
from tests.servers.server import free_port
from tests.smtp_server import ScriptedServer
from tests.waiting import TIMEOUT, eventually

READERS = 3


@pytest.fixture
def working_folder(tmp_path, monkeypatch) -> Path:
    """A working folder with a real newsletter's .env, which the demo must not read."""
    (tmp_path / ".env").write_text("NEWSLETTER_DATABASE_URL=postgresql://127.0.0.1:1/real\nNEWSLETTER_ODD=1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def demo(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a demo on a free port; if it still runs at the end of the block, send it SIGTERM."""
    command = [sys.executable, "-m", "newsletter.cli", "demo", "--readers", str(READERS), "--port", str(free_port())]
    environment = os.environ | {"NEWSLETTER_SMTP_URL": "smtp://127.0.0.1:1", "PYTHONUNBUFFERED": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, *words], env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()


def performed(*words: str) -> tuple[int, str, str]:
    """Run a demo to its end; return the exit code, standard output and standard error."""
    with demo("--once", *words) as process:
        out, err = process.communicate(timeout=TIMEOUT)
        return process.returncode, out, err


def children(process: subprocess.Popen[str]) -> list[int]:
    """Return the running child processes."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == process.pid and state != "Z":
            found.append(int(status.parent.name))
    return found


def is_gone(number: int) -> bool:
    return not Path(f"/proc/{number}").exists()


def serving(process: subprocess.Popen[str]) -> list[int]:
    """Wait until the demo has printed its summary; return its three processes."""
    assert process.stdout
    assert next((line for line in process.stdout if "keeps running" in line), None), process.communicate()
    found = children(process)
    assert len(found) == 3
    return found


def counted(summary: dict) -> dict:
    """Return the expected counts for READERS."""
    states = dict.fromkeys(("queued", "claimed", "in_doubt", "failed", "withheld", "cancelled", "unknown"), 0)
    return {
        "signups": READERS,
        "confirmed": READERS,
        "articles": 12,
        "issue": {"audience": READERS, "sent": READERS, **states},
        "unsubscribed": 1,
        "doctor": "ok",
        "seconds": summary["seconds"],
    }


@pytest.mark.slow
def test_with_all_three_servers_every_count_is_right_and_the_letters_are_in_the_sink(
    postgresql_url, redis_url, smtp_sink, working_folder
):
    words = ("--database", postgresql_url, "--redis", redis_url, "--relay", smtp_sink.url)
    with demo("--once", "--json", *words) as process:
        started = eventually(lambda: (found := children(process)) and len(found) == 3 and found)
        commands = [Path(f"/proc/{number}/cmdline").read_text() for number in started]
        out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, err
    assert all(is_gone(number) for number in started)
    assert not any(url in command for url in words[1::2] for command in commands), "they may hold passwords"
    summary = json.loads(out)
    servers = summary.pop("servers")
    assert summary == counted(summary)
    assert servers["database"].split()[0] == "PostgreSQL"
    assert servers["redis"].split()[0] == "Redis"
    assert servers["relay"] == f"relay 127.0.0.1:{smtp_sink.port}"
    assert f"on {', '.join(servers.values())}" in err
    assert "bounce" in err
    readers = [f"reader{number}@demo.example" for number in range(1, READERS + 1)]
    letters = eventually(lambda: len(found := smtp_sink.letters()) == 2 * READERS and found)
    assert sorted(reader for letter in letters for reader in letter.recipients) == sorted(readers * 2)
    code, out, err = performed(*words)
    assert code == 1
    assert err.startswith("--database: the database is not empty")
    assert "createdb newsletter_demo" in err
    assert len(smtp_sink.letters()) == 2 * READERS


@pytest.mark.slow
@pytest.mark.parametrize("part", ["database", "redis", "relay"])
def test_each_server_may_be_given_alone(request, part, working_folder):
    fixture = {"database": "postgresql_url", "redis": "redis_url", "relay": "smtp_sink"}[part]
    server = request.getfixturevalue(fixture)
    code, out, err = performed("--json", f"--{part}", getattr(server, "url", server))
    assert code == 0, err
    summary = json.loads(out)
    assert list(summary.pop("servers")) == [part]
    assert summary == counted(summary)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_demo_and_all_its_processes(redis_url, working_folder, number, code):
    with demo("--redis", redis_url) as process:
        started = serving(process)
        process.send_signal(number)
        process.communicate(timeout=TIMEOUT)
    assert process.returncode == code
    assert all(is_gone(each) for each in started)


@pytest.mark.slow
def test_a_demo_that_is_interrupted_half_way_leaves_no_process(redis_url, working_folder):
    with demo("--redis", redis_url) as process:
        started = eventually(lambda: children(process))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT)
    assert process.returncode != 0
    assert children(process) == []
    assert all(is_gone(each) for each in started)


@pytest.mark.slow
def test_a_killed_process_is_named_and_ends_the_demo(redis_url, working_folder):
    with demo("--redis", redis_url) as process:
        started = serving(process)
        worker = next(n for n in started if "worker" in Path(f"/proc/{n}/cmdline").read_text().split("\0"))
        os.kill(worker, signal.SIGKILL)
        _, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert "The worker ended: " in err
    assert "worker.log" in err
    assert "Traceback" not in err
    assert all(is_gone(each) for each in started)


@pytest.mark.slow
def test_a_relay_that_refuses_is_quoted(working_folder):
    with ScriptedServer(always={"RCPT": "550 5.1.2 no such domain here"}) as relay:
        code, _, err = performed("--relay", f"smtp://127.0.0.1:{relay.port}")
    assert (code, err.splitlines()[-1]) == (1, "The relay did not accept a letter: 550 5.1.2 no such domain here")


def test_a_database_with_a_newsletter_is_refused(failed, postgresql_url, working_folder):
    with closing(opened(postgresql_url)) as database, database.writing() as session:
        a_newsletter(session, "somebodys")
    code, errors = failed("demo", "--once", "--database", postgresql_url)
    assert (code, errors.count("\n")) == (1, 1)
    assert errors.startswith("--database: the database is not empty")


def test_a_database_of_another_program_is_refused_and_not_changed(failed, postgresql_url, working_folder):
    with closing(opened(postgresql_url)) as database:
        with database.engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
            connection.execute(text("CREATE TABLE invoices (id int)"))
        code, errors = failed("demo", "--once", "--database", postgresql_url)
        assert inspect(database.engine).get_table_names() == ["invoices"]
    assert code == 1
    assert errors.startswith("--database: the database is not empty")


def test_a_redis_with_another_client_is_refused_and_not_changed(failed, redis_url, working_folder):
    with Redis.from_url(redis_url) as other_client:
        other_client.ping()
        code, errors = failed("demo", "--once", "--redis", redis_url)
        assert other_client.dbsize() == 0
    assert (code, errors.count("\n")) == (1, 1)
    assert errors.startswith("--redis: another client is connected to database ")
    assert not (working_folder / "var").exists()


@pytest.mark.parametrize(
    ("option", "url", "code", "reason"),
    [
        ("--database", "postgresql://u:hunter2@127.0.0.1:1/x", 1, "refused"),
        ("--database", "postgresql://u:hunter2@127.0.0.1:1/x?nonsense=1", 1, "nonsense"),
        ("--database", "hunter2", 2, "not a database URL"),
        ("--database", "sqlite:///hunter2.db", 2, "name a PostgreSQL database"),
        ("--redis", "redis://:hunter2@127.0.0.1:1/0", 1, "refused"),
        ("--redis", "redis://:hunter2@127.0.0.1:1/zero", 2, "its host, port or database number is invalid"),
        ("--redis", "redis://:hunter2/x@127.0.0.1", 2, "its host, port or database number is invalid"),
        ("--redis", "hunter2", 2, "not a Redis URL"),
        ("--relay", "smtp://127.0.0.1:1", 1, "smtp-sink"),
        ("--relay", "smtp://u:hunter2@127.0.0.1:1", 1, "127.0.0.1:1 cannot be used: Connection refused"),
        ("--relay", "hunter2", 2, "enter a relay's URL such as"),
    ],
)
def test_an_unusable_server_is_named_by_its_option(failed, working_folder, option, url, code, reason):
    ended, errors = failed("demo", "--once", option, url)
    assert ended == code
    assert f"{option}: " in errors
    assert reason in errors
    assert "hunter2" not in errors
    assert "NEWSLETTER_" not in errors
    assert not (working_folder / "var").exists()
