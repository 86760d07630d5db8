import errno
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.mail.letters import mime
from newsletter.mail.transport.outbox import Outbox
from newsletter.mail.transport.transport import Message, Outcome, Result, TransportProblem

LETTER = mime.letter(
    {"From": mime.mailbox("Café", "editor@news.example"), "To": "reader@example.org", "Subject": "Grüße"},
    text="Hello\n",
    html="<p>Hello\n",
).as_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a few letters."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root can mount a small file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


def a_message(delivery: int, body: bytes = LETTER) -> Message:
    return Message(delivery, 1, "b@bounces.example", "reader@example.org", [body], time.monotonic() + 60)


def keep(folder: Path, *deliveries: int, body: bytes = LETTER) -> list[Result]:
    results: list[Result] = []
    Outbox(folder).send(
        iter([a_message(delivery, body) for delivery in deliveries]), results.append, stop=lambda: False
    )
    return results


def test_letters_are_listed_newest_first(folder):
    keep(folder, 7, 3, 12)
    for age, delivery in enumerate([12, 7, 3]):
        os.utime(folder / "new" / f"{delivery}.newsletter", (1e9 - age, 1e9 - age))
    assert [letter.name for letter in Outbox(folder).letters()] == ["12.newsletter", "7.newsletter", "3.newsletter"]
    assert [letter.name for letter in Outbox(folder).letters(limit=1)] == ["12.newsletter"]
    assert len(Outbox(folder)) == 3


def test_a_letter_is_read_with_its_envelope_and_parts(folder):
    keep(folder, 7)
    letter = Outbox(folder).letter("7.newsletter")
    assert letter.message["Return-Path"] == "<b@bounces.example>"
    assert letter.message["Delivered-To"] == "reader@example.org"
    assert letter.message["Subject"] == "Grüße"
    assert letter.text.strip() == "Hello"
    assert letter.html.strip() == "<p>Hello"
    assert letter.source.endswith(LETTER)
    assert letter.at.tzinfo


def test_a_letter_of_text_alone_has_no_html(folder):
    keep(folder, 7, body=b"Subject: Hello\r\n\r\nHello\r\n")
    letter = Outbox(folder).letter("7.newsletter")
    assert (letter.text.strip(), letter.html) == ("Hello", None)


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
def test_a_name_cannot_lead_outside_the_folder(folder, name):
    keep(folder, 7)
    (folder / "secret").write_text("secret")
    (folder.parent / "secret.newsletter").write_text("secret")
    assert Outbox(folder).letter(name) is None


def test_other_files_in_the_folder_are_left_alone(folder):
    keep(folder, 7)
    (folder / "new" / "1700000000.M1P1.host").write_bytes(b"From: someone\r\n\r\n")
    assert [letter.name for letter in Outbox(folder).letters()] == ["7.newsletter"]


def test_a_repeat_replaces_the_first(folder):
    keep(folder, 7, body=b"Subject: first\r\n\r\n")
    keep(folder, 7, body=b"Subject: second\r\n\r\n")
    assert [letter.message["Subject"] for letter in Outbox(folder).letters()] == ["second"]


def test_no_other_user_can_read_the_letters(folder):
    keep(folder, 7)
    assert (folder / "new").stat().st_mode & 0o077 == 0
    assert (folder / "new" / "7.newsletter").stat().st_mode & 0o077 == 0


def test_a_letter_that_cannot_be_written_is_tried_later_and_leaves_no_partial_file(folder):
    keep(folder, 7)
    (folder / "new" / "8.newsletter" / "in the way").mkdir(parents=True)
    results = keep(folder, 8, 9)
    assert [result.outcome for result in results] == [Outcome.LATER, Outcome.TAKEN]
    assert results[0].reply.text == "Is a directory"
    assert list((folder / "tmp").iterdir()) == []


def test_a_letter_that_lies_in_the_folder_is_in_doubt_if_the_folder_cannot_be_synced(folder):
    def device_without_sync(_: Path) -> None:
        read, write = os.pipe()
        try:
            os.fsync(read)  # a real error: a pipe cannot be synced
        finally:
            os.close(read)
            os.close(write)

    outbox = Outbox(folder, sync=device_without_sync)
    results: list[Result] = []
    outbox.send(iter([a_message(7), a_message(8)]), results.append, stop=lambda: False)
    assert [(result.outcome, result.reply.text) for result in results] == [(Outcome.IN_DOUBT, "Invalid argument")] * 2
    assert len(outbox) == 2
    assert outbox.blocking_problem() is None
    assert [result.outcome for result in keep(folder, 7, 8)] == [Outcome.TAKEN] * 2
    assert len(outbox) == 2, "a repeat replaces the first"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_folder_that_refuses_the_sync_blocks_all_further_messages(folder, code):
    def refuse(_: Path) -> None:
        raise OSError(code, os.strerror(code))

    outbox = Outbox(folder, sync=refuse)
    messages = iter([a_message(7), a_message(8)])
    results: list[Result] = []
    outbox.send(messages, results.append, stop=lambda: False)
    assert [result.outcome for result in results] == [Outcome.IN_DOUBT]
    assert [letter.name for letter in outbox.letters()] == ["7.newsletter"]
    assert os.strerror(code) in outbox.blocking_problem().reason
    assert [message.delivery for message in messages] == [8]


def test_while_the_folder_cannot_be_created_no_message_is_taken(tmp_path):
    (tmp_path / "file").touch()
    outbox = Outbox(tmp_path / "file" / "outbox")
    messages = iter([a_message(7)])
    outbox.send(messages, pytest.fail, stop=lambda: False)
    assert len(list(messages)) == 1
    assert outbox.blocking_problem() == TransportProblem(
        "the outbox", "nothing can be written there: Not a directory", lasting=True
    )
    (tmp_path / "file").unlink()
    results: list[Result] = []
    outbox.send(iter([a_message(7)]), results.append, stop=lambda: False)
    assert [result.outcome for result in results] == [Outcome.TAKEN]
    assert outbox.blocking_problem() is None


def test_on_a_full_disk_the_current_message_stays_untouched_and_no_other_is_taken_until_there_is_space(small_disk):
    outbox = Outbox(small_disk / "outbox")
    messages = iter([a_message(number, b"x" * 70 + b"\r\n" * 20_000) for number in range(1000)])
    results: list[Result] = []
    outbox.send(messages, results.append, stop=lambda: False)
    assert [result.outcome for result in results] == [Outcome.TAKEN] * (len(results) - 1) + [Outcome.UNTOUCHED]
    assert outbox.blocking_problem() == TransportProblem(
        "the outbox", "nothing can be written there: No space left on device", lasting=False
    )
    assert list((small_disk / "outbox" / "tmp").iterdir()) == []
    before = len(results)
    outbox.send(messages, results.append, stop=lambda: False)
    assert len(results) == before, "there is still no space"
    for letter in outbox.letters(limit=10):
        (small_disk / "outbox" / "new" / letter.name).unlink()
    outbox.send(messages, results.append, stop=lambda: len(results) == before + 3)
    assert [result.outcome for result in results[before:]] == [Outcome.TAKEN] * 3
    assert outbox.blocking_problem() is None
