"""A picture of the box in a publisher's news page, as README shows it."""

from io import BytesIO
from pathlib import Path
from string import Template

from PIL import Image
from playwright.sync_api import ViewportSize, expect

from tests.browser.chromium import running_chromium

HOST_PAGE = Path(__file__).parent / "news_page.html"
SCREEN: ViewportSize = {"width": 1120, "height": 860}
QUALITY = 60


def picture(base_url: str, newsletter: str) -> bytes:
    """Return the news page with the box of a newsletter as WebP.

    A browser answers with the page at an address of the service, whose own pages may always show the box.
    """
    html = Template(HOST_PAGE.read_text()).substitute(service=base_url, newsletter=newsletter)
    with running_chromium() as chromium:
        page = chromium.new_page(viewport=SCREEN, locale="en", device_scale_factor=1.5)
        page.route(f"{base_url}/news", lambda route: route.fulfill(body=html, content_type="text/html; charset=utf-8"))
        page.goto(f"{base_url}/news")
        expect(page.locator("newsletter-signup [name=email]")).to_be_visible()
        drawn = BytesIO()
        Image.open(BytesIO(page.screenshot())).save(drawn, "webp", quality=QUALITY)
        return drawn.getvalue()
