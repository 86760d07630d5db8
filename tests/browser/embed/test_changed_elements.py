"""An application that changes the attributes of an element gets the box that they name now."""

import pytest
from playwright.sync_api import expect

from tests.browser.embed.conftest import Publisher
from tests.browser.embed.test_box import BOX, REPLACED

NAME_EVENING = "box => box.setAttribute('newsletter', 'evening')"


@pytest.mark.parametrize("replaced", ["", REPLACED["customElements"]], ids=["as it is", "customElements replaced"])
def test_an_element_shows_the_newsletter_that_it_names_now(publisher: Publisher, replaced: str):
    shown = publisher.open(BOX, head=f"<script>{replaced}</script>{publisher.script}")
    heading = shown.box().get_by_role("heading")
    expect(heading).to_have_text("The Morning Letter")
    shown.box().evaluate(NAME_EVENING)
    expect(heading).to_have_text("The Evening Letter")
    shown.fill("mia@example.org")
    expect(shown.box().get_by_role("status")).to_be_visible()
    assert publisher.signups("mia@example.org")[-1].evidence["form_offered"] == "evening"
