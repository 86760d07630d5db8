"""Digests are added, listed and scheduled by commands."""

import re

from newsletter.errors import Malformed
from tests.content.builders import answer


def test_digests_are_added_listed_and_scheduled(newsletter):
    added = answer(newsletter("digests", "add", "--newsletter", "morning", "--cron", "0 7 * * 1-5", "--json"))
    (row,) = answer(newsletter("digests", "list", "--json"))
    assert (row["cron"], row["zone"], row["articles"], row["send"]) == ("0 7 * * 1-5", "Europe/Berlin", 12, "approve")
    runs = answer(newsletter("digests", "upcoming", "--json", "--count", "300"))
    assert len(runs) == 300
    assert runs[0]["at"] == added["next"]
    assert {run["at"][10:] for run in runs} == {"T07:00:00+01:00", "T07:00:00+02:00"}
    line = newsletter("digests", "upcoming", "--count", "1").stdout
    assert re.fullmatch(r"\d{4}-\d\d-\d\d 07:00 \+0[12]:00  Europe/Berlin +morning +Digest\n", line)


def test_a_schedule_is_explained_as_it_runs(newsletter):
    words = "On certain days of the month (day 13 and every Friday) at 07:00 (Europe/Berlin)."
    added = newsletter("digests", "add", "--newsletter", "morning", "--cron", "0 7 13 * 5").stdout
    assert added.startswith(f"Digest 1 is added. {words} Its first run:\n")
    assert words in newsletter("digests", "list").stdout
    assert words in newsletter("digests", "change", "1", "--articles", "3").stdout


def test_invalid_arguments_are_refused(newsletter):
    assert isinstance(newsletter("digests", "add", "--newsletter", "morning", "--cron", "7").exception, Malformed)


def test_empty_lists_are_reported_as_such(newsletter):
    assert "No digests yet" in newsletter("digests", "list").stdout
    assert "Nothing is scheduled" in newsletter("digests", "upcoming").stdout
    assert answer(newsletter("digests", "upcoming", "--json")) == []
