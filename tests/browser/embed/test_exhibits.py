"""What is kept of a form as evidence, beside what was on the screen: the same words for each kind of form."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from newsletter.consent.wordings.exhibits import Exhibit
from newsletter.consent.wordings.forms import Form, FormKind
from tests.browser.embed.conftest import Publisher
from tests.browser.embed.host_pages import document

PICTURES = os.environ.get("EXHIBIT_PICTURES")  # the folder to draw both into; `make screenshots` names it


@pytest.mark.parametrize("kind", [FormKind.HOSTED, FormKind.BOX, FormKind.PASTED])
def test_the_kept_form_has_the_words_that_were_on_the_screen(publisher: Publisher, kind: FormKind):
    email = f"{kind}@example.org"
    page, form = opened(publisher, kind)
    expect(form.locator("[name=consent]")).to_be_visible()
    for each in form.locator("summary").all():
        each.click()
    shown = form.inner_text().split()
    picture = form.screenshot()
    form.locator("[name=email]").fill(email)
    form.locator("[name=consent]").check()
    with page.expect_response("**/subscribe") as answer:
        form.locator("button").first.click()
    assert answer.value.status == 202
    kept = kept_form(publisher, email, kind)
    page.goto("about:blank")
    page.set_content(f"<!doctype html><meta charset='utf-8'>{kept}")
    for each in page.locator("summary").all():
        each.click()
    proof = page.locator("body").inner_text().split()
    assert " ".join(proof) in " ".join(shown)
    if PICTURES:
        folder = Path(PICTURES)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{kind}-shown.png").write_bytes(picture)
        page.locator("body").screenshot(path=folder / f"{kind}-kept.png")


def opened(publisher: Publisher, kind: FormKind) -> tuple[Page, Locator]:
    """Show a form of this kind; return the page, and the form on it."""
    if kind == FormKind.HOSTED:
        page = publisher.show("<!doctype html><title>Courier</title>").page
        page.goto(f"{publisher.base_url}/n/morning?language=en")
        return page, page.locator("form[action='/subscribe']")
    name = "news" if kind == FormKind.BOX else "plain"
    shown = publisher.show(document(publisher, name, language="en"))
    if kind == FormKind.BOX:
        return shown.page, shown.box().locator("form")
    return shown.page, shown.page.locator("form[action$='/subscribe']")


def kept_form(publisher: Publisher, email: str, kind: FormKind) -> str:
    """Return the exhibit that the row of the sign-up names."""
    (signup,) = publisher.signups(email)
    with publisher.service.site.database.reading() as session:
        if (form := session.get(Form, int(signup.form)) if str(signup.form).isdigit() else None) is not None:
            assert form.kind == kind
        exhibit = session.get(Exhibit, form.exhibit if form else signup.form)
        assert exhibit
        return exhibit.body.decode()
