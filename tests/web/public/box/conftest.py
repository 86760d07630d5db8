"""A service with a newsletter whose box a site may show."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter import newsletters, registered_sites
from tests.whole_service import WholeService, whole_service

SITE = "https://www.courier.example"


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path) -> Iterator[WholeService]:
    with whole_service(sqlite_url, tmp_path) as service:
        service.newsletter(description="What happened overnight.")
        register(service, "morning")
        yield service


def register(service: WholeService, slug: str, site: str = SITE) -> None:
    """Let a site show a newsletter's box."""
    with service.site.database.writing() as session:
        newsletter = newsletters.named(session, slug)
        registered_sites.register(session, newsletter, site, actor="tests", now=service.clock())
    service.let_the_site_read_newsletters_again()
