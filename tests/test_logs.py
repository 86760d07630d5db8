"""Logs: one JSON object per line, without addresses, link tokens or passwords."""

import io
import json
import logging
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter import logs
from newsletter.addresses import parse
from newsletter.errors import Malformed
from newsletter.links import PATHS
from newsletter.redaction import scrub, without_message

ANA = "ana@example.org"
TOKEN = "k1.AQEJm3Zr5Gd0mQb7vW1k2x_Zt-"


def line_of(message: object, *arguments: object, name: str = "newsletter.mail", **fields: object) -> str:
    """Format a record as a line."""
    record = logging.LogRecord(name, logging.INFO, __file__, 1, message, arguments, fields.pop("exc_info", None))
    record.__dict__.update(fields)
    return logs.formatter().format(record)


def event(message: object, *arguments: object, **fields: object) -> dict:
    return json.loads(line_of(message, *arguments, **fields))


def test_a_log_line_has_time_level_logger_event_and_fields():
    logged = event("letters sent", sent=3, failed=0)
    at = datetime.fromisoformat(logged.pop("timestamp"))
    assert at.tzinfo is not None
    assert at.utcoffset() == UTC.utcoffset(None)
    assert logged == {"event": "letters sent", "level": "info", "logger": "newsletter.mail", "sent": 3, "failed": 0}


def test_fields_that_libraries_attach_are_left_out():
    assert "color" not in event("Task %s received", "workers.bulk", name="celery.worker", color="green")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"for {ANA}, again", "for <address>, again"),
        (f"RCPT TO:<{ANA}>", "RCPT TO:<address>"),
        ("?email=ana%40example.org", "<address>"),
        (f"GET /u/{TOKEN}?x=1 HTTP/1.1", "GET /u/… HTTP/1.1"),
        (f"https://news.example/confirm/{TOKEN}", "https://news.example/confirm/…"),
        (f"GET /confirm/{TOKEN}.pXHTwd-_oQsb HTTP/1.1", "GET /confirm/… HTTP/1.1"),
        (f"open /confirm/{TOKEN}.pXHTwd-_oQsb.)", "open /confirm/…"),
        (f"u=%2Fconfirm%2F{TOKEN}%2EpXHTwd-_oQsb now", "u=%2Fconfirm/… now"),
        (f"next=%2Fpreferences%2F{TOKEN}", "next=%2Fpreferences/…"),
        ("smtp://user:secret@mail.example:587?rate=14", "smtp://mail.example:587?rate=14"),
        ("redis://:se/cr@et@localhost:6379/0", "redis://localhost:6379/0"),
        ("postgresql://user:pass@localhost/a", "postgresql://localhost/a"),
        ("/u/{token}", "/u/{token}"),
        ("/n/{slug}, /archive/7 and 3@", "/n/{slug}, /archive/7 and 3@"),
    ],
)
def test_scrub_removes_addresses_tokens_and_credentials_and_keeps_the_rest(text, left):
    assert scrub(text) == left


def is_address(text: str) -> bool:
    try:
        return bool(parse(text))
    except Malformed:
        return False


LOCAL = st.text(st.sampled_from("abcxyzàß0189.!#$%&'*+-/=?^_`{|}~"), min_size=1, max_size=12)
DOMAIN = st.text(st.sampled_from("abcxyzà0189-"), min_size=2, max_size=8)
ADDRESSES = st.builds("{}@{}.org".format, LOCAL, DOMAIN).filter(is_address)
TOKENS = st.from_regex(r"[a-z0-9]{1,8}\.[A-Za-z0-9_-]{24,40}", fullmatch=True)
PASSWORDS = st.from_regex(r"[a-z0-9!$%^&*+:@/=-]{12,20}", fullmatch=True)
WORDS = st.text(max_size=20)


@st.composite
def secrets(draw):
    """A secret, and a log message that contains it."""
    secret, text = draw(
        st.one_of(
            ADDRESSES.map(lambda address: (address, address)),
            ADDRESSES.map(lambda address: (address.replace("@", "\uff20"),) * 2),
            ADDRESSES.map(lambda address: (address.replace("@", "%ef%bc%a0"),) * 2),
            st.tuples(TOKENS, st.sampled_from(sorted(PATHS.values()))).map(lambda it: (it[0], f"/{it[1]}/{it[0]}")),
            PASSWORDS.map(lambda word: (word, f"smtp://user:{word}@mail.example:587")),
        )
    )
    # Separate it from the text around it, which would otherwise become part of the address.
    before, after = draw(WORDS), draw(WORDS)
    return secret, f"{before} {text}{draw(st.sampled_from([' ', '', ',', chr(34), '>', chr(10)]))}{after}"


class Odd:
    """A type that JSON does not support."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


NESTS = [
    lambda text: text,
    lambda text: [text, 1],
    lambda text: {"a": {"b": (text, None)}},
    lambda text: {text: True},
    lambda text: {frozenset([text])},
    lambda text: text.encode("utf-8", "replace").decode(),
    Odd,
    ValueError,
    Path,
]


def fail(text: str) -> None:
    raise ValueError(text)


@given(secrets(), st.sampled_from(NESTS))
def test_no_address_token_or_password_survives_in_any_field(held, nest):
    secret, text = held
    try:
        fail(text)
    except ValueError:
        line = line_of("event %s", text, exc_info=sys.exc_info(), field=nest(text), also={"n": nest(text)})
    logged = json.loads(line)
    assert "\n" not in line
    assert secret not in json.dumps(logged, ensure_ascii=False)
    assert logged["exception"].startswith("Traceback")


def test_without_message_keeps_the_type_and_traceback_but_no_message_and_no_cause():
    try:
        try:
            fail(ANA)
        except ValueError as error:
            raise LookupError("a name that is nobody's business") from error
    except LookupError as error:
        way = event("failed", exc_info=without_message(error))["exception"]
    assert way.splitlines()[-1] == "LookupError"
    assert "test_logs.py" in way
    assert "ValueError" not in way


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(), st.lists))
def test_every_line_is_one_object_of_strict_json(value):
    def never(constant):
        raise AssertionError(constant)

    assert isinstance(json.loads(line_of("event", field=value), parse_constant=never), dict)


def test_scrubbing_a_long_word_takes_linear_time():
    assert scrub("a" * 200_000 + "@") == "a" * 200_000 + "@"
    assert scrub("://" * 50_000 + " @") == "://" * 50_000 + " @"


# Starts once, and forks for each program: what is logged at a process's end needs a process of its own.
FORKS = """
import json, logging, os, sys, threading, warnings
import structlog
from newsletter import logs
for line in sys.stdin:
    program, stdout, stderr = json.loads(line)
    if not (child := os.fork()):
        for number, path in ((1, stdout), (2, stderr)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
        break
    os.waitpid(child, 0)
    print("ended", flush=True)
else:
    sys.exit()
exec(program)
"""
PROGRAM = """
{before}
logs.configure({arguments})
{after}
"""


@pytest.fixture(scope="module")
def forks() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", FORKS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


@pytest.fixture
def run(forks, tmp_path) -> Callable[..., str]:
    """Return a function that runs a process, which configures its logs and logs something; it returns the output."""

    def run(after: str, *, arguments: str = "", before: str = "", stderr: Path | str = tmp_path / "stderr") -> str:
        program = PROGRAM.format(before=before, arguments=arguments, after=after)
        stdout = tmp_path / "stdout"
        stdout.write_text("")
        print(json.dumps([program, str(stdout), str(stderr)]), file=forks.stdin, flush=True)
        assert forks.stdout.readline() == "ended\n"
        return stdout.read_text()

    return run


@pytest.fixture
def events(run, tmp_path) -> Callable[..., list[dict]]:
    """Return a function that runs such a process and returns the lines that it logged."""

    def events(after: str, **how: str) -> list[dict]:
        stderr = tmp_path / "stderr"
        stderr.write_text("")
        assert run(after, **how) == ""
        return [json.loads(line) for line in stderr.read_text().splitlines()]

    return events


@pytest.mark.parametrize(
    "code",
    [
        "logging.getLogger('any').warning('for %s', 'ana@example.org')",
        "structlog.get_logger('any').warning('for %s', 'ana@example.org', also='ana@example.org')",
        "warnings.warn('for ana@example.org')",
        "raise LookupError('ana@example.org')",
        "threading.Thread(target=lambda: {}['ana@example.org']).start()",
        "logging.getLogger('any').warning('%d', 'ana@example.org')",
        "logging.getLogger('any').warning('%s', type('Shy', (), {'__str__': lambda self: 1 / 0})())",
    ],
    ids=["logging", "structlog", "warning", "uncaught", "thread", "wrong arguments", "no text"],
)
def test_every_source_of_messages_is_logged_in_one_scrubbed_line(events, code):
    (logged,) = events(code)
    assert {"event", "level", "logger", "timestamp"} <= logged.keys()
    assert ANA not in str(logged)


def test_records_below_the_level_are_not_logged(events):
    code = "for level in (10, 20, 30): logging.getLogger('any').log(level, '%d', level)"
    assert [each["event"] for each in events(code)] == ["20", "30"]
    assert [each["event"] for each in events(code, arguments="'WARNING'")] == ["30"]
    assert [each["event"] for each in events(code, arguments="logging.DEBUG")] == ["10", "20", "30"]


def test_http_clients_never_log_urls_at_any_level(events):
    assert events("logging.getLogger('httpx2').info('HTTP Request: GET https://a.example')", arguments="'DEBUG'") == []


def test_an_uncaught_newsletter_error_is_logged_without_traceback(events):
    (logged,) = events("from newsletter.errors import Misconfigured; raise Misconfigured('It is not set.')")
    assert (logged["event"], logged["level"]) == ("It is not set.", "critical")
    assert "exception" not in logged


@pytest.mark.parametrize(("level", "events_logged"), [("INFO", []), ("DEBUG", ["a wake-up"]), ("ERROR", [])])
def test_wake_ups_are_logged_only_at_debug(events, level, events_logged):
    code = "logging.getLogger('celery.app.trace').info('a wake-up')"
    assert [each["event"] for each in events(code, arguments=f"'{level}'")] == events_logged


def test_uvicorns_handlers_are_replaced_and_its_access_log_is_off(events):
    before = "import uvicorn; uvicorn.Config('any:app')"
    code = "logging.getLogger('uvicorn.error').info('up'); logging.getLogger('uvicorn.access').info('GET /')"
    assert [each["event"] for each in events(code, before=before)] == ["up"]


def test_at_a_terminal_lines_are_scrubbed_text(run):
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        run(
            "logging.getLogger('any').error('for ana@example.org', exc_info=ValueError('ana@example.org'))",
            stderr=os.ttyname(theirs),
        )
        os.close(theirs)
        text = io.BytesIO()
        while chunk := _read(terminal):
            text.write(chunk)
    shown = text.getvalue().decode()
    assert "<address>" in shown
    assert ANA not in shown
    assert not shown.startswith("{")


def _read(terminal) -> bytes:
    try:
        return terminal.read(1000)
    except OSError:  # on Linux: the other end is closed
        return b""
