"""The command prints stored text unchanged, without markup, and never a password."""

import json
from datetime import datetime

import pytest
from sqlalchemy import select

from newsletter.content.feeds.feeds import Feed

ODD = "A :key: and\ttwo [bold]tabs[/] :bell:" + " and more" * 15


@pytest.fixture
def drafted(newsletter) -> str:
    """The number of a draft with an odd title."""
    answer = newsletter("issues", "draft", "three", "--title", ODD.replace("\t", " "), "--json").stdout
    return str(json.loads(answer)["issue"])


def test_titles_are_printed_unchanged(newsletter, drafted):
    title = ODD.replace("\t", " ")
    assert title in newsletter("issues", "status").stdout
    assert json.loads(newsletter("issues", "status", drafted, "--json").stdout)["title"] == title


def test_the_source_of_a_letter_is_printed_octet_by_octet(newsletter, drafted, tmp_path):
    newsletter("issues", "preview", drafted, "--part", "source", "--to", str(tmp_path / "letter.eml"))
    source = (tmp_path / "letter.eml").read_bytes()
    assert b"List-Id: <three.press.example>\r\n" in source
    assert newsletter("issues", "preview", drafted, "--part", "source").stdout_bytes == source + b"\n"


def test_times_in_json_are_iso_8601(newsletter):
    (row,) = json.loads(newsletter("feeds", "list", "--json").stdout)
    assert row["next_try_at"] == "2026-03-14T12:00:00+00:00"
    assert datetime.fromisoformat(row["next_try_at"]).tzinfo


def test_json_is_one_line(newsletter, drafted):
    assert newsletter("issues", "status", "--json").stdout.count("\n") == 1


def test_no_password_of_a_feed_is_printed(newsletter, database, failed):
    with database.writing() as session:
        session.scalars(select(Feed)).one().url = "https://ana:hunter2@press.example/town.xml"
    for words in (("feeds", "list"), ("feeds", "list", "--json")):
        output = newsletter(*words).stdout
        assert "https://press.example/town.xml" in output
        assert "hunter2" not in output
    code, errors = failed("feeds", "add", "https://ana:hunter2@press.example/", "--newsletter", "three")
    assert code == 1
    assert "hunter2" not in errors
