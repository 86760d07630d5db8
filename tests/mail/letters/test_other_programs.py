"""Letters of every kind and language say the same to the parsers of other languages, and do not look like spam."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from newsletter.languages.catalogues import LANGUAGES
from newsletter.languages.languages import language
from tests.letters import assert_well_formed, parsed, unified
from tests.mail.letters.every_letter import FIELDS, every_letter, letter

PROGRAMS = Path(__file__).parent / "programs"
MAX_HTML_BYTES = 90_000
MAX_SPAM_SCORE = 1.0


def has_mailparser() -> bool:
    node = shutil.which("node")
    return (
        bool(node)
        and not subprocess.run([node, "-e", "require('mailparser')"], capture_output=True, check=False).returncode
    )


PARSERS = {
    "go": (["go", "run", str(PROGRAMS / "read.go")], lambda: shutil.which("go")),
    "mailparser": (["node", str(PROGRAMS / "read.cjs")], has_mailparser),
}


@pytest.fixture(scope="module")
def letters(tmp_path_factory) -> dict[Path, bytes]:
    folder = tmp_path_factory.mktemp("letters")
    written = {folder / f"{name}.eml": source for name, source in every_letter().items()}
    for file, source in written.items():
        file.write_bytes(source)
    return written


def as_python_reads(source: bytes) -> dict[str, str]:
    message = parsed(source)
    (sender,), (to,) = message["From"].addresses, message["To"].addresses
    return {
        "from": f"{sender.display_name} <{sender.addr_spec}>",
        "to": f"{to.display_name} <{to.addr_spec}>",
        "subject": message["Subject"],
        "unsubscribe": message["List-Unsubscribe"],
        "text": message.get_body(("plain",)).get_content(),
        "html": message.get_body(("html",)).get_content(),
    }


def as_shown(found: dict[str, str]) -> dict[str, str]:
    """Return what was read without the difference of line ends, which each parser keeps or not."""
    return {name: unified(text).rstrip("\n") for name, text in found.items()}


@pytest.mark.parametrize("tag", LANGUAGES)
def test_letters_are_well_formed_and_small_in_every_language(tag):
    for kind in FIELDS:
        source = letter(kind, language(tag))
        assert_well_formed(source)
        html = parsed(source).get_body(("html",))
        assert len(html.as_bytes()) < MAX_HTML_BYTES
        assert f'lang="{tag}"' in html.get_content()


@pytest.mark.slow
@pytest.mark.parametrize("parser", PARSERS)
def test_other_parsers_read_every_letter_as_python_does(letters, parser):
    command, is_there = PARSERS[parser]
    if not is_there():
        pytest.skip(f"{parser} is not installed")
    answer = subprocess.run([*command, *map(str, letters)], capture_output=True, text=True, check=True)
    read = [as_shown(found) for found in json.loads(answer.stdout)]
    assert read == [as_shown(as_python_reads(source)) for source in letters.values()]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("spamassassin") is None, reason="spamassassin is not installed")
def test_no_letter_looks_like_spam(letters):
    box = b"".join(
        b"From letters@courier.example Sat Mar 14 12:00:00 2026\n" + unified_bytes(each) for each in letters.values()
    )
    command = ["spamassassin", "-L", "--mbox"]
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    judged = subprocess.run(command, input=box, capture_output=True, check=True, env=environment).stdout.decode()
    scores = [float(score) for score in re.findall(r"^X-Spam-Status: \w+, score=(-?[\d.]+)", judged, re.MULTILINE)]
    assert len(scores) == len(letters)
    assert max(scores) <= MAX_SPAM_SCORE, dict(zip(letters, scores, strict=True))


def unified_bytes(source: bytes) -> bytes:
    return source.replace(b"\r\n", b"\n") + b"\n"
