"""One Chromium and one service for each module of these tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from newsletter import newsletters
from tests.browser.chromium import running_chromium
from tests.browser.contents import CONSENT, NEWSLETTERS, schedule_issue
from tests.browser.firefox import running_firefox
from tests.browser.reachable import reachable_service
from tests.whole_service import WholeService


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def firefox(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """A browser with the preferences that the test names, if it names any."""
    with running_firefox(getattr(request, "param", {})) as browser:
        yield browser


@pytest.fixture(scope="module")
def town(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeService]:
    """A service that a browser reaches: a newsletter in each of three languages, each with a reader and an issue."""
    with reachable_service(sqlite_template, tmp_path_factory.mktemp("town")) as service:
        for language, columns in NEWSLETTERS.items():
            service.newsletter(language=language, **columns)
            service.publish_words(columns["slug"], CONSENT[language], language)
            service.reader(f"{columns['slug']}@example.org", columns["slug"])
        with service.site.database.writing() as session:
            for written in newsletters.every(session):
                schedule_issue(session, written)
        service.clock.advance(days=1)
        service.run()
        yield service
