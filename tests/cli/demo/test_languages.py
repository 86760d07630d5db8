"""`newsletter demo --language`: the whole service in the language of a sample."""

import json
import os
import subprocess
import sys
from email import message_from_bytes, policy

import pytest

from tests.servers.server import free_port

READERS = 2


def test_a_language_without_a_sample_is_refused_with_those_that_have_one(failed):
    code, errors = failed("demo", "--once", "--language", "fr")
    assert code == 1
    assert errors == "There is no sample in “fr”. The demo knows en, de, ar and en-XA.\n"


@pytest.mark.slow
@pytest.mark.parametrize(("language", "word"), [("de", "Steinbogen"), ("ar", "القوس"), ("en-XA", "stone arch")])
def test_newsletter_articles_and_letters_are_in_the_language(tmp_path, language, word):
    words = ["--once", "--json", "--readers", str(READERS), "--port", str(free_port()), "--language", language]
    command = [sys.executable, "-m", "newsletter.cli", "demo", *words]
    ended = subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout)["issue"]["sent"] == READERS
    letters = [
        message_from_bytes(file.read_bytes(), policy=policy.default).get_body(("html",)).get_content()
        for file in (tmp_path / "var/demo/outbox/new").iterdir()
    ]
    assert len(letters) == 2 * READERS
    assert all(f'<html lang="{language}"' in html for html in letters)
    assert sum(word in html and "/pictures/" in html for html in letters) == READERS
