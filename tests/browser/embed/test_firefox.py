"""The ways of visitors and readers in Firefox: they sign up in the box and without script, confirm, and leave."""

import pytest
from playwright.sync_api import Browser

from tests.browser.embed.conftest import Publisher
from tests.browser.embed.host_pages import SETTINGS, Visit, visit
from tests.browser.embed.ways import go_the_whole_way, go_to_the_sign_up
from tests.browser.firefox import DARK, REDUCED_MOTION, WITHOUT_SCRIPT
from tests.local_http import LocalHttp
from tests.whole_service import WholeService

pytestmark = pytest.mark.slow

UNLESS_CHOSEN = {name: values[0] for name, values in SETTINGS.items()}
# Each look, width, hand, language and size of text once.
VISITS = (
    {"page": "news", "look": "bar", "width": "360", "hand": "keyboard"},
    {"page": "strict", "look": "inline", "width": "1280", "text": "200 %"},
    {"page": "application", "look": "dialog", "width": "320", "language": "de"},
    {"page": "arabic", "look": "bar", "width": "1280", "language": "ar", "hand": "keyboard"},
)
IN_THE_DARK = {"page": "news", "look": "dialog", "language": "ar", "scheme": "dark", "reduced_motion": "reduce"}
NO_SCRIPT = {"script": "off", "language": "de", "hand": "keyboard"}


@pytest.fixture(scope="module")
def publisher(firefox: Browser, published: tuple[LocalHttp, WholeService]) -> Publisher:
    """The publisher's site, shown by Firefox."""
    return Publisher(*published, firefox)


@pytest.mark.parametrize("chosen", VISITS, ids=lambda chosen: " ".join(chosen.values()))
def test_visitors_sign_up_in_every_look_of_the_box(publisher: Publisher, chosen: dict[str, str]):
    go_to_the_sign_up(open_page(publisher, chosen), f"visitor.{chosen['page']}@example.org")


@pytest.mark.parametrize("firefox", [DARK | REDUCED_MOTION], indirect=True, ids=["dark"])
def test_a_reader_goes_the_whole_way_in_the_dark(publisher: Publisher):
    go_the_whole_way(open_page(publisher, IN_THE_DARK), "reader.ar@example.org")


@pytest.mark.parametrize("firefox", [WITHOUT_SCRIPT], indirect=True, ids=["without script"])
def test_a_reader_goes_the_whole_way_without_script(publisher: Publisher):
    go_the_whole_way(open_page(publisher, NO_SCRIPT | {"page": "news"}), "reader.de@example.org")


@pytest.mark.parametrize("firefox", [WITHOUT_SCRIPT], indirect=True, ids=["without script"])
def test_a_visitor_signs_up_in_a_pasted_form(publisher: Publisher):
    go_to_the_sign_up(open_page(publisher, NO_SCRIPT | {"page": "plain"}), "visitor.plain@example.org")


def open_page(publisher: Publisher, chosen: dict[str, str]) -> Visit:
    """Open a host page with these settings, which Firefox must have, too."""
    opened = visit(publisher, UNLESS_CHOSEN | chosen)
    for feature, setting in (("prefers-color-scheme", "scheme"), ("prefers-reduced-motion", "reduced_motion")):
        wanted = f"({feature}: {opened.settings[setting]})"
        assert opened.shown.page.evaluate("wanted => matchMedia(wanted).matches", wanted), wanted
    return opened
