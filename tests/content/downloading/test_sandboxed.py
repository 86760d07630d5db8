"""Limits: what a document or a server may cost, and whose fault it is when a download ends."""

import os
import signal
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest

from newsletter.content.downloading.downloader import DownloadCancelled, DownloadInterrupted, LimitExceeded
from newsletter.content.downloading.limits import MAX_DOWNLOADS, Limits
from newsletter.content.downloading.messages import Ending, Overdue
from newsletter.content.downloading.sandboxed import SandboxedDownloader, explained
from newsletter.content.fetching.destinations import FetchError, ServerUnavailable
from tests.content.downloading import hostile
from tests.content.downloading.conftest import ALLOW
from tests.local_http import LocalHttp
from tests.waiting import TIMEOUT, eventually

RSS = b"<rss version='2.0'><channel><title>Town</title><item><title>Bus</title></item></channel></rss>"
WITHOUT_OUTPUT = hostile.without_output()


@pytest.mark.parametrize("name", WITHOUT_OUTPUT)
def test_a_body_that_costs_time_and_yields_nothing_ends_within_the_limits(sandboxed, site: LocalHttp, name):
    url = site.put("/feed.xml", **WITHOUT_OUTPUT[name])
    before = monotonic()
    with pytest.raises((FetchError, LimitExceeded)):
        sandboxed.feed(url)
    assert monotonic() - before < TIMEOUT


def test_a_document_that_takes_too_much_processor_time_exceeds_a_limit(sandboxed, site: LocalHttp):
    with pytest.raises(LimitExceeded, match="more than 1 seconds of processor time"):
        sandboxed.feed(site.put("/feed.xml", hostile.MANY_ITEMS))


def test_too_much_memory_and_too_long_a_download_exceed_a_limit(site: LocalHttp):
    strict = Limits(memory=192 << 20, seconds=2)
    with closing(SandboxedDownloader(allow=ALLOW, limits=strict)) as downloader:
        assert downloader.feed(site.put("/good.xml", RSS)).feed
        with pytest.raises(LimitExceeded, match="more than 192 MB of memory"):
            downloader.feed(site.put("/feed.json", hostile.MANY_OBJECTS))
        with pytest.raises(LimitExceeded, match="more than 2 seconds"):
            downloader.feed(site.put("/slow.xml", **hostile.slow()))


def test_a_child_downloads_many_sound_documents_and_none_after_one_that_exceeded_a_limit(site: LocalHttp):
    good = site.put("/good.xml", RSS)
    with closing(SandboxedDownloader(allow=ALLOW, limits=Limits(memory=192 << 20))) as downloader:
        downloader.feed(good)
        (first,) = children(downloader.server_pid)
        for _ in range(3):
            downloader.feed(good)
        assert children(downloader.server_pid) == [first]
        with pytest.raises(LimitExceeded):
            downloader.feed(site.put("/feed.json", hostile.MANY_OBJECTS))
        downloader.feed(good)
        assert first not in children(downloader.server_pid)


def test_a_child_is_replaced_after_a_number_of_downloads(site: LocalHttp):
    gone = site.url("/gone.xml")
    with closing(SandboxedDownloader(allow=ALLOW)) as downloader:
        seen = set()
        for _ in range(MAX_DOWNLOADS + 1):
            with pytest.raises(FetchError):
                downloader.feed(gone)
            seen |= set(children(downloader.server_pid))
        assert len(seen) == 2


def test_a_hostile_document_does_not_harm_a_sound_one_beside_it(sandboxed, site: LocalHttp):
    url = site.put("/slow.xml", **hostile.slow())
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(sandboxed.feed, url)
        assert sandboxed.feed(site.put("/good.xml", RSS)).feed.title == "Town"
        assert type(running.exception()) is ServerUnavailable


def test_a_child_sees_no_secret_of_its_parent(sandboxed, site: LocalHttp):
    sandboxed.feed(site.put("/good.xml", RSS))
    environment = Path(f"/proc/{sandboxed.server_pid}/environ").read_bytes().split(b"\0")
    assert {each.partition(b"=")[0] for each in environment if each} == {b"PYTHONPATH"}


def test_a_killed_child_is_not_the_document_s_fault(sandboxed, site: LocalHttp):
    with ThreadPoolExecutor(1) as threads:
        running = started(threads, sandboxed, site)
        killed = children(sandboxed.server_pid)
        for child in killed:
            os.kill(child, signal.SIGKILL)
        assert isinstance(running.exception(), DownloadInterrupted)
        eventually(lambda: not set(killed) & set(children(sandboxed.server_pid)))


def test_a_child_killed_before_it_reads_its_request_does_not_end_the_server(site: LocalHttp):
    good = site.put("/good.xml", RSS)
    with closing(SandboxedDownloader(allow=ALLOW)) as downloader, ThreadPoolExecutor(1) as threads:
        downloader.feed(good)
        server, (child,) = downloader.server_pid, children(downloader.server_pid)
        os.kill(child, signal.SIGSTOP)
        before = sockets(server)
        running = threads.submit(downloader.feed, good)
        eventually(lambda: sockets(server) - before)
        downloader.feed(good)  # by another child: the server has handed the first download over
        os.kill(child, signal.SIGKILL)
        assert isinstance(running.exception(), DownloadInterrupted)
        assert downloader.feed(good).feed.title == "Town"
        assert downloader.server_pid == server


def test_a_killed_server_interrupts_its_downloads_and_starts_again(sandboxed, site: LocalHttp):
    with ThreadPoolExecutor(1) as threads:
        running = started(threads, sandboxed, site)
        os.kill(sandboxed.server_pid, signal.SIGKILL)
        assert isinstance(running.exception(), DownloadInterrupted)
        assert sandboxed.feed(site.put("/good.xml", RSS)).feed.title == "Town"


def test_closing_cancels_the_downloads_and_leaves_no_process(site: LocalHttp):
    with closing(SandboxedDownloader(allow=ALLOW)) as downloader, ThreadPoolExecutor(1) as threads:
        running = started(threads, downloader, site)
        server, (child,) = downloader.server_pid, children(downloader.server_pid)
        downloader.close()
        assert isinstance(running.exception(), DownloadCancelled)
        eventually(lambda: not Path(f"/proc/{server}").exists() and not Path(f"/proc/{child}").exists())
        with pytest.raises(DownloadCancelled):
            downloader.feed(site.url("/slow.xml"))


def started(threads: ThreadPoolExecutor, downloader: SandboxedDownloader, site: LocalHttp) -> Future:
    """Start a slow download and wait until its request has arrived."""
    running = threads.submit(downloader.feed, site.put("/slow.xml", **hostile.slow()))
    eventually(lambda: site.requests)
    return running


def sockets(pid: int) -> set[str]:
    """The names of the sockets that a process holds."""
    return {str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()}


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize(
    ("ending", "kind", "words"),
    [
        (Ending(signal.SIGXCPU, cpu_seconds=1.0), LimitExceeded, "1 seconds of processor time"),
        (Ending(signal.SIGKILL, cpu_seconds=2.0), LimitExceeded, "1 seconds of processor time"),
        (Ending(signal.SIGKILL, Overdue.FAIR, 0.1), LimitExceeded, "more than 20 seconds"),
        (Ending(signal.SIGKILL, Overdue.ABSOLUTE, 0.1), DownloadInterrupted, "machine is too busy"),
        (Ending(signal.SIGKILL, Overdue.ABSOLUTE, 0.9), LimitExceeded, "1 seconds of processor time"),
        (Ending(signal.SIGKILL, cpu_seconds=0.1), DownloadInterrupted, "Signal 9"),
        (Ending(signal.SIGTERM, cpu_seconds=0.1), DownloadInterrupted, "Signal 15"),
        (Ending(signal.SIGSEGV, cpu_seconds=0.1), LimitExceeded, "crashes"),
        (Ending(1 << 8), LimitExceeded, "memory"),
        (Ending(None), DownloadInterrupted, "No process"),
    ],
)
def test_how_a_child_ended_shows_whose_fault_it_is(ending, kind, words):
    error = explained(Ending.decode(ending.encode()), Limits(cpu_seconds=1, seconds=20))
    assert type(error) is kind
    assert words in str(error)


def test_a_sandboxed_download_tells_the_user_agent(site: LocalHttp):
    with closing(SandboxedDownloader(allow=ALLOW, agent="tests (+https://letters.example)")) as downloader:
        downloader.feed(site.put("/feed.xml", RSS))
    assert site.requests[0][1]["user-agent"] == "tests (+https://letters.example)"
