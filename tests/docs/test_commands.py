"""The documentation's commands work: `sh run` blocks are run, other shell blocks are parsed."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from email.utils import format_datetime
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

import newsletter
from newsletter import clock, settings
from newsletter.bench.visitor import feed_served
from newsletter.cli.app import app
from newsletter.cli.serve import served
from newsletter.consent.signups.signups import Signup
from newsletter.store.database import Database
from newsletter.web import create_app
from tests.docs.commands import commands, of_newsletter, understand
from tests.docs.markdown import PAGES, ROOT, FencedBlock, blocks, name, spans
from tests.servers.server import free_port
from tests.whole_service import NoWakeups

SAMPLE = Path(newsletter.__file__).parent / "sample"
FIRST_STEPS = ROOT / "docs" / "getting-started.md"  # its first block sets up what the other pages start from
SIGN_UP_FORM = ROOT / "docs" / "sign-up-form.md"


class PageRunner:
    """Runs the blocks of a page. `addresses` maps public addresses to servers on this machine."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self._addresses = addresses

    def run(self, block: FencedBlock) -> None:
        """Run a block; `newsletter` commands run in this process."""
        script = block.text
        for public, local in self._addresses.items():
            script = script.replace(public, local)
        if all(words[0] == "newsletter" for words in commands(script)):
            for words in of_newsletter(script):
                done = CliRunner().invoke(app, words)
                assert done.exit_code == 0, f"{block}: {words}: {done.output} {done.exception}"
        else:
            subprocess.run(["bash", "-euo", "pipefail", "-c", script], check=True, timeout=60)


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageRunner]:
    monkeypatch.chdir(tmp_path)
    with feed_served(_recent_sample(tmp_path / "site")) as feed:
        monkeypatch.setenv("NEWSLETTER_FEED_ALLOW", feed.removeprefix("http://"))
        yield PageRunner({"https://example.org": feed})


def _recent_sample(folder: Path) -> Path:
    """Copy the sample feed with dates of the last days: after a month, its articles would be an archive."""
    shutil.copytree(SAMPLE, folder)
    feed, days = folder / "feed.xml", count(1)
    dates = re.sub(
        r"(?<=<pubDate>)[^<]*", lambda _: format_datetime(clock.now() - timedelta(next(days))), feed.read_text()
    )
    feed.write_text(dates)
    return folder


def test_the_first_steps_end_with_an_approved_and_previewed_issue(runner):
    for block in blocks("sh run", page=FIRST_STEPS):
        runner.run(block)
    assert "stone arch" in Path("issue.html").read_text()


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page not in (FIRST_STEPS, SIGN_UP_FORM) and blocks("sh run", page=page)],
    ids=name,
)
def test_the_commands_of_a_page_work_after_the_first_steps(page, runner):
    for block in [*blocks("sh run", page=FIRST_STEPS)[:1], *blocks("sh run", page=page)]:
        runner.run(block)


def test_a_program_signs_up_as_the_page_shows(runner):
    runner.run(blocks("sh run", page=FIRST_STEPS)[0])
    port = free_port()
    site_runner = PageRunner({"http://localhost:8000": f"http://127.0.0.1:{port}"})
    configuration = settings.load(dotenv=None)
    with served(create_app(configuration, NoWakeups()), "127.0.0.1", port):
        for block in blocks("sh run", page=SIGN_UP_FORM):
            site_runner.run(block)
    with closing(Database(configuration.database)) as database, database.reading() as session:
        assert session.scalar(select(func.count(Signup.id))) == 1


@pytest.mark.parametrize("block", blocks("sh"), ids=str)
def test_other_blocks_are_valid_shell_and_valid_newsletter_commands(block):
    read = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True, check=False)
    assert (read.returncode, read.stderr) == (0, "")
    for words in of_newsletter(block.text):
        understand(words)


def test_commands_in_inline_code_exist():
    for page in PAGES:
        for span in spans(page):
            for words in of_newsletter(span) if span.startswith("newsletter ") else ():
                understand(words, whole=False)


@pytest.mark.parametrize(
    "wrong", ["newsletter isues status 1", "newsletter issues status --jsn", "newsletter issues send"]
)
def test_a_command_that_does_not_exist_is_reported(wrong):
    (words,) = of_newsletter(f"docker compose exec web {wrong} > file  # as in a container")
    with pytest.raises(Exception, match=r"there is no|Missing"):
        understand(words)


def test_every_shell_block_is_marked_as_one():
    for page in PAGES:
        assert blocks("", "bash", "shell", "console", page=page) == []
