import os
import time
from pathlib import Path

import pytest

from newsletter.post import mime
from newsletter.post.outbox import Outbox
from newsletter.post.postman import Fate, Parcel, Report

LETTER = mime.letter(
    {"From": mime.mailbox("Café", "editor@news.example"), "To": "reader@example.org", "Subject": "Grüße"},
    text="Hello\n",
    html="<p>Hello\n",
).as_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


def keep(folder: Path, *deliveries: int, body: bytes = LETTER) -> list[Report]:
    reports: list[Report] = []
    parcels = [
        Parcel(delivery, 1, "b@bounces.example", "reader@example.org", [body], time.monotonic() + 60)
        for delivery in deliveries
    ]
    Outbox(folder).carry(iter(parcels), reports.append, stop=lambda: False)
    return reports


def test_letters_are_listed_newest_first(folder):
    keep(folder, 7, 3, 12)
    for age, delivery in enumerate([12, 7, 3]):
        os.utime(folder / "new" / f"{delivery}.newsletter", (1e9 - age, 1e9 - age))
    assert [kept.name for kept in Outbox(folder).letters()] == ["12.newsletter", "7.newsletter", "3.newsletter"]
    assert [kept.name for kept in Outbox(folder).letters(limit=1)] == ["12.newsletter"]
    assert len(Outbox(folder)) == 3


def test_a_letter_is_read_with_its_envelope_and_parts(folder):
    keep(folder, 7)
    kept = Outbox(folder).letter("7.newsletter")
    assert kept.message["Return-Path"] == "<b@bounces.example>"
    assert kept.message["Delivered-To"] == "reader@example.org"
    assert kept.message["Subject"] == "Grüße"
    assert kept.text.strip() == "Hello"
    assert kept.html.strip() == "<p>Hello"
    assert kept.source.endswith(LETTER)
    assert kept.at.tzinfo


def test_a_letter_of_text_alone_has_no_html(folder):
    keep(folder, 7, body=b"Subject: Hello\r\n\r\nHello\r\n")
    kept = Outbox(folder).letter("7.newsletter")
    assert (kept.text.strip(), kept.html) == ("Hello", None)


def test_an_outbox_that_was_never_used_is_empty(folder):
    assert Outbox(folder).letters() == []
    assert len(Outbox(folder)) == 0
    assert Outbox(folder).letter("7.newsletter") is None


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "../../secret.newsletter",
        "/etc/passwd",
        "",
        ".",
        "7",
        "7.newsletter\0",
        "7.newsletter/..",
        "\u0667.newsletter",
    ],
)
def test_a_name_leads_nowhere_else(folder, name):
    keep(folder, 7)
    (folder / "secret").write_text("secret")
    (folder.parent / "secret.newsletter").write_text("secret")
    assert Outbox(folder).letter(name) is None


def test_other_files_in_the_folder_are_left_alone(folder):
    keep(folder, 7)
    (folder / "new" / "1700000000.M1P1.host").write_bytes(b"From: someone\r\n\r\n")
    assert [kept.name for kept in Outbox(folder).letters()] == ["7.newsletter"]


def test_a_repeat_takes_the_place_of_the_first(folder):
    keep(folder, 7, body=b"Subject: first\r\n\r\n")
    keep(folder, 7, body=b"Subject: second\r\n\r\n")
    assert [kept.message["Subject"] for kept in Outbox(folder).letters()] == ["second"]


def test_nobody_else_may_read_the_letters(folder):
    keep(folder, 7)
    assert (folder / "new").stat().st_mode & 0o077 == 0
    assert (folder / "new" / "7.newsletter").stat().st_mode & 0o077 == 0


def test_what_cannot_be_written_is_tried_later_and_leaves_nothing_half(folder):
    keep(folder, 7)
    (folder / "new" / "8.newsletter" / "in the way").mkdir(parents=True)
    reports = keep(folder, 8, 9)
    assert [report.fate for report in reports] == [Fate.LATER, Fate.TAKEN]
    assert reports[0].reply.text == "Is a directory"
    assert list((folder / "tmp").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_reason_to_try_later(tmp_path):
    (tmp_path / "file").touch()
    (report,) = keep(tmp_path / "file" / "outbox", 7)
    assert (report.fate, report.reply.text) == (Fate.LATER, "Not a directory")
