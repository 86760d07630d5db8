"""Every page leads to the publisher's own site, or to each of them if there are several."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from tests.whole_service import WholeService

NEWS, SPORT = "https://press.example/news", "https://sport.example/"
PATHS = ("/", "/archive", "/privacy", "/imprint", "/accessibility", "/saved", "/my-data", "/links", "/nowhere")

pytestmark = pytest.mark.parametrize("service", ["sqlite"], indirect=True)  # PostgreSQL reads the same rows


def links(service: WholeService, path: str) -> list[tuple[str, str]]:
    page = LexborHTMLParser(service.browser.get(path).text)
    return [(each.text(), each.attributes["href"]) for each in page.css("a[rel=external]")]


def on_all_pages(service: WholeService) -> set[tuple[tuple[str, str], ...]]:
    """Return what the pages link that are not about one newsletter: one set of links, if they agree."""
    return {tuple(links(service, path)) for path in PATHS}


@pytest.mark.parametrize("slugs", [("morning",), ("morning", "evening")])
def test_every_page_links_the_site_that_the_newsletters_share_once(service, slugs):
    for slug in slugs:
        service.newsletter(slug, site_url=NEWS)
    assert on_all_pages(service) == {(("Website of Example Press", NEWS),)}


def test_every_page_links_the_sites_of_several_publishers_and_that_of_a_newsletter_only_its_own(service):
    service.newsletter(site_url=NEWS)
    service.newsletter("sport", site_url=SPORT, publisher="Sport Press")
    service.newsletter("evening")
    both = ("Website of Example Press", NEWS), ("Website of Sport Press", SPORT)
    assert on_all_pages(service) == {both}
    assert [links(service, f"/n/{slug}") for slug in ("morning", "sport", "evening")] == [[both[0]], [both[1]], []]


def test_several_sites_of_one_publisher_are_told_apart_by_the_names_of_the_newsletters(service):
    service.newsletter(site_url=NEWS)
    service.newsletter("sport", site_url=SPORT)
    assert on_all_pages(service) == {(("Website of The Morning Letter", NEWS), ("Website of The Sport Letter", SPORT))}
