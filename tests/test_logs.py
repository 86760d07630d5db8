"""What a process says: one object a line, and nobody's address, link or password in it."""

import io
import json
import logging
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter import logs
from newsletter.addresses import parse
from newsletter.errors import Malformed
from newsletter.links import PATHS
from newsletter.redaction import scrub, wordless

ANA = "ana@example.org"
TOKEN = "k1.AQEJm3Zr5Gd0mQb7vW1k2x_Zt-"


def said(message: object, *arguments: object, name: str = "newsletter.mail", **given: object) -> str:
    """The line that a record becomes."""
    record = logging.LogRecord(name, logging.INFO, __file__, 1, message, arguments, given.pop("exc_info", None))
    record.__dict__.update(given)
    return logs.formatter().format(record)


def event(message: object, *arguments: object, **given: object) -> dict:
    return json.loads(said(message, *arguments, **given))


def test_an_event_tells_when_where_how_grave_and_what():
    told = event("letters carried", sent=3, failed=0)
    at = datetime.fromisoformat(told.pop("timestamp"))
    assert at.tzinfo is not None
    assert at.utcoffset() == UTC.utcoffset(None)
    assert told == {"event": "letters carried", "level": "info", "logger": "newsletter.mail", "sent": 3, "failed": 0}


def test_what_libraries_attach_for_their_own_formatters_is_left_out():
    assert "colour" not in event("Task %s received", "workers.bulk", name="celery.worker", colour="green")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"for {ANA}, again", "for <address>, again"),
        (f"RCPT TO:<{ANA}>", "RCPT TO:<address>"),
        ("?email=ana%40example.org", "<address>"),
        (f"GET /u/{TOKEN}?x=1 HTTP/1.1", "GET /u/… HTTP/1.1"),
        (f"https://news.example/confirm/{TOKEN}", "https://news.example/confirm/…"),
        (f"next=%2Fpreferences%2F{TOKEN}", "next=%2Fpreferences/…"),
        ("smtp://user:secret@mail.example:587?rate=14", "smtp://mail.example:587?rate=14"),
        ("redis://:se/cr@et@localhost:6379/0", "redis://localhost:6379/0"),
        ("postgresql://user:pass@localhost/a", "postgresql://localhost/a"),
        ("/u/{token}", "/u/{token}"),
        ("/n/{slug}, /archive/7 and 3@", "/n/{slug}, /archive/7 and 3@"),
    ],
)
def test_what_names_a_reader_or_acts_for_one_is_cut_and_the_rest_stays(text, left):
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
    """A secret, and words of a log that hold it."""
    secret, text = draw(
        st.one_of(
            ADDRESSES.map(lambda address: (address, address)),
            st.tuples(TOKENS, st.sampled_from(sorted(PATHS.values()))).map(lambda it: (it[0], f"/{it[1]}/{it[0]}")),
            PASSWORDS.map(lambda word: (word, f"smtp://user:{word}@mail.example:587")),
        )
    )
    # After a letter or a sign that may belong to it, it would be another address.
    before, after = draw(WORDS), draw(WORDS)
    return secret, f"{before} {text}{draw(st.sampled_from([' ', '', ',', chr(34), '>', chr(10)]))}{after}"


class Odd:
    """What JSON does not know."""

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
        line = said("event %s", text, exc_info=sys.exc_info(), field=nest(text), also={"n": nest(text)})
    told = json.loads(line)
    assert "\n" not in line
    assert secret not in json.dumps(told, ensure_ascii=False)
    assert told["exception"].startswith("Traceback")


def test_a_wordless_error_tells_its_kind_and_the_way_and_nothing_it_says_or_was_caused_by():
    try:
        try:
            fail(ANA)
        except ValueError as error:
            raise LookupError("a name that is nobody's business") from error
    except LookupError as error:
        way = event("failed", exc_info=wordless(error))["exception"]
    assert way.splitlines()[-1] == "LookupError"
    assert "test_logs.py" in way
    assert "ValueError" not in way


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(), st.lists))
def test_every_line_is_one_object_of_strict_json(value):
    def never(constant):
        raise AssertionError(constant)

    assert isinstance(json.loads(said("event", field=value), parse_constant=never), dict)


def test_a_long_word_takes_no_longer_than_its_length():
    assert scrub("a" * 200_000 + "@") == "a" * 200_000 + "@"
    assert scrub("://" * 50_000 + " @") == "://" * 50_000 + " @"


PROCESS = """
import logging, sys, threading, warnings
import structlog
from newsletter import logs
{before}
logs.configure({given})
{after}
"""


def process(
    after: str, *, given: str = "", before: str = "", stderr: int = subprocess.PIPE
) -> subprocess.CompletedProcess:
    """A process that configures its logs and says something."""
    code = PROCESS.format(before=before, given=given, after=after)
    return subprocess.run([sys.executable, "-c", code], stderr=stderr, stdout=subprocess.PIPE, text=True, check=False)


def events(after: str, **how: str) -> list[dict]:
    done = process(after, **how)
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize(
    "says",
    [
        "logging.getLogger('any').warning('for %s', 'ana@example.org')",
        "structlog.get_logger('any').warning('for %s', 'ana@example.org', also='ana@example.org')",
        "warnings.warn('for ana@example.org')",
        "raise LookupError('ana@example.org')",
        "threading.Thread(target=lambda: {}['ana@example.org']).start()",
        "logging.getLogger('any').warning('%d', 'ana@example.org')",
        "logging.getLogger('any').warning('%s', type('Shy', (), {'__str__': lambda self: 1 / 0})())",
    ],
    ids=["logging", "structlog", "warning", "nobody catches", "thread", "wrong arguments", "no text"],
)
def test_whoever_says_it_says_it_in_one_line_and_names_nobody(says):
    (told,) = events(says)
    assert {"event", "level", "logger", "timestamp"} <= told.keys()
    assert ANA not in str(told)


def test_the_level_decides_what_is_said():
    says = "for level in (10, 20, 30): logging.getLogger('any').log(level, '%d', level)"
    assert [each["event"] for each in events(says)] == ["20", "30"]
    assert [each["event"] for each in events(says, given="'WARNING'")] == ["30"]
    assert [each["event"] for each in events(says, given="logging.DEBUG")] == ["10", "20", "30"]


def test_a_client_that_writes_down_whole_urls_is_kept_from_it_at_any_level():
    assert events("logging.getLogger('httpx2').info('HTTP Request: GET https://a.example')", given="'DEBUG'") == []


def test_what_the_house_explains_is_told_in_its_own_words_alone():
    (told,) = events("from newsletter.errors import Misconfigured; raise Misconfigured('It is not set.')")
    assert (told["event"], told["level"]) == ("It is not set.", "critical")
    assert "exception" not in told


@pytest.mark.parametrize(("level", "heard"), [("INFO", []), ("DEBUG", ["a ring"]), ("ERROR", [])])
def test_every_ring_is_told_only_to_whoever_wants_to_know(level, heard):
    says = "logging.getLogger('celery.app.trace').info('a ring')"
    assert [each["event"] for each in events(says, given=f"'{level}'")] == heard


def test_what_uvicorn_set_up_before_gives_way_and_its_access_log_is_off():
    before = "import uvicorn; uvicorn.Config('any:app')"
    says = "logging.getLogger('uvicorn.error').info('up'); logging.getLogger('uvicorn.access').info('GET /')"
    assert [each["event"] for each in events(says, before=before)] == ["up"]


def test_at_a_terminal_it_is_text_for_a_person_and_as_discreet():
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process(
            "logging.getLogger('any').error('for ana@example.org', exc_info=ValueError('ana@example.org'))",
            stderr=theirs,
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
    except OSError:  # Linux's way to say that nobody writes any more
        return b""
