"""Pages of others around ours."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from newsletter.links import Purpose
from tests.browser.reachable import reachable_service
from tests.local_http import local_http
from tests.whole_service import WholeService


@pytest.fixture
def service(sqlite_template: Path, tmp_path: Path):
    with reachable_service(sqlite_template, tmp_path) as service:
        service.newsletter()
        service.reader("ana@example.org")
        yield service


def test_nobody_can_put_a_frame_around_the_button_that_unsubscribes(chromium: Browser, service: WholeService):
    link = f"/u/{service.site.links.token(Purpose.UNSUBSCRIBE, 1, 1)}"
    assert service.browser.get(link).status_code == 200
    framed = f"<!doctype html><title>A game</title><iframe src='{service.site.settings.base_url}{link}'></iframe>"
    context = chromium.new_context()
    with local_http() as elsewhere:
        elsewhere.put("/favicon.ico", status=204)
        url = elsewhere.put("/", framed.encode(), headers={"Content-Type": "text/html"})
        page = context.new_page()
        with page.expect_event("console", lambda message: "frame-ancestors" in message.text):
            page.goto(url)
        assert page.frame_locator("iframe").locator("button").count() == 0
    context.close()
