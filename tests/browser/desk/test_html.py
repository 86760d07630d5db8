"""The desk's pages as the Nu HTML checker reads them."""

import re
from pathlib import Path

import pytest

from newsletter.bench.desk import routes
from newsletter.web.desk.frame import origin
from tests.browser.desk import walk
from tests.browser.desk.contents import DeskState, fill
from tests.templates import nu_checker
from tests.whole_service import whole_service


@pytest.mark.slow
@pytest.mark.parametrize("state", DeskState)
def test_the_checker_finds_no_error_on_any_page_of_the_desk(sqlite_url: str, tmp_path: Path, state: DeskState):
    nu_checker.command()
    pages = tmp_path / "pages"
    pages.mkdir()
    with whole_service(sqlite_url, tmp_path) as service:
        whole, half = fill(service, state)
        for route, path in ((route, path) for route, paths in walk.pages(service).items() for path in paths):
            service.browser.cookies.set(origin.SESSION, half if route in routes.open_routes() else whole)
            (pages / f"{re.sub('[^a-z0-9]', '-', path)}.html").write_text(service.browser.get(path).text)
    found = nu_checker.errors(pages)
    assert not found, "\n".join(found)
