"""The sign-up box in pages of another origin, in a real browser."""

import hashlib

import pytest
from playwright.sync_api import expect

from newsletter import newsletters
from newsletter.consent.signups.signups import Signup
from newsletter.consent.wordings import wording_publication
from tests.browser.embed.conftest import HostPage, Publisher

BOX = '<newsletter-signup newsletter="morning"><a href="/n">Get the Morning Letter</a></newsletter-signup>'
LOUD = """<style>
    html { font-size: 62.5%; color-scheme: light; }
    * { box-sizing: content-box; letter-spacing: 1em !important; color: lime !important; }
    newsletter-signup { display: none !important; font: 90px/3 serif !important; text-transform: uppercase !important; }
    input, button, h2, .box, .exhibit { display: none !important; border-radius: 4rem !important; }
    .close, .count, label { color: red; }
</style>"""


def only(signups: list[Signup]) -> Signup:
    (signup,) = signups
    return signup


def test_a_visitor_signs_up_and_the_row_proves_what_the_box_showed(publisher: Publisher):
    tag = f'<script src="{publisher.base_url}/embed.js" data-newsletter="morning" async></script>'
    shown = publisher.open(f"<p>Before</p>{tag}<p>After</p>", head=LOUD)
    box = shown.box()
    expect(box.get_by_role("heading")).to_have_text("The Morning Letter")
    expect(box.locator(".count")).to_have_text("Join 10k+ readers")
    exhibit = box.locator(".exhibit").evaluate("each => each.outerHTML")
    shown.fill("ana@example.org")
    expect(box.get_by_role("status")).to_contain_text("Check your inbox")
    expect(box.get_by_role("status")).to_be_focused()
    signup = only(publisher.signups("ana@example.org"))
    assert signup.evidence["page"] == publisher.web.url("/2026/bridge")
    assert signup.evidence["site"] == publisher.web.url("")
    assert plain(publisher, exhibit) == plain(publisher, exhibit_of(publisher, signup))
    assert shown.events == ['shown {"newsletter":"morning"}', 'sent {"newsletter":"morning"}']
    assert shown.warnings == []


def exhibit_of(publisher: Publisher, signup: Signup) -> str:
    form = publisher.service.browser.get("/n/morning/form").json()
    assert hashlib.sha256(form["html"].encode()).hexdigest() == signup.form
    return str(form["html"])


def plain(publisher: Publisher, html: str) -> list[str]:
    """Return HTML without what only its spelling tells: a browser writes `required=""`."""
    return html.replace('=""', "").split()


def test_neither_page_nor_box_changes_the_look_of_the_other(publisher: Publisher):
    shown = publisher.open(f"<h2>Comments</h2><input id=comment>{BOX}", head=LOUD + publisher.script)
    expect(shown.box().locator("[name=email]")).to_be_visible()
    names = '"color", "fontSize", "letterSpacing", "borderRadius"'
    look = f"each => [{names}].map(name => getComputedStyle(each)[name])"
    assert shown.box().get_by_role("heading").evaluate(look) == ["rgb(23, 25, 28)", "25px", "normal", "0px"]
    assert shown.box().get_by_role("button").evaluate(look)[1:] == ["16px", "normal", "2px"]
    assert shown.page.locator("#comment").evaluate("each => getComputedStyle(each).display") == "none"


def test_errors_stand_at_their_fields_and_what_was_entered_stays(publisher: Publisher):
    shown = publisher.open(BOX, head=publisher.script)
    field = shown.box().locator("[name=email]")
    field.fill("ana@")
    field.press("Enter")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-describedby", "email-error")
    expect(shown.box().get_by_role("alert")).to_have_count(2)
    expect(field).to_have_value("ana@")
    shown.fill("bea@example.org")
    expect(shown.box().get_by_role("status")).to_be_visible()
    assert shown.events[1] == 'failed {"newsletter":"morning","reason":"fields"}'


def test_nothing_is_lost_while_the_service_is_out_of_reach_and_two_presses_send_once(publisher: Publisher):
    shown = publisher.open(BOX, head=publisher.script)
    expect(shown.box().locator("[name=email]")).to_be_visible()
    shown.page.context.set_offline(True)
    shown.fill("cleo@example.org")
    told = shown.box().get_by_role("alert")
    expect(told).to_contain_text("We could not reach our newsletter service.")
    expect(told.get_by_role("link")).to_have_attribute("href", f"{publisher.base_url}/n/morning?language=en")
    expect(shown.box().locator("[name=email]")).to_have_value("cleo@example.org")
    shown.page.context.set_offline(False)
    shown.box().get_by_role("button", name="Subscribe").dblclick()
    expect(shown.box().get_by_role("status")).to_be_visible()
    only(publisher.signups("cleo@example.org"))


def test_a_mistyped_domain_is_mended_with_one_press(publisher: Publisher):
    shown = publisher.open(BOX, head=publisher.script)
    shown.fill("hal@gmial.com")
    shown.box().get_by_role("button", name="hal@gmail.com").click()
    expect(shown.box().locator("[name=email]")).to_have_value("hal@gmail.com")
    shown.box().get_by_role("button", name="Subscribe").click()
    expect(shown.box().get_by_role("status")).to_be_visible()
    assert only(publisher.signups("hal@gmail.com")).replaces


def test_the_address_can_be_entered_again_after_a_sign_up(publisher: Publisher):
    shown = publisher.open(BOX, head=publisher.script)
    shown.fill("ivo@example.org")
    shown.box().get_by_role("button", name="Enter it again").click()
    expect(shown.box().locator("[name=email]")).to_be_focused()
    expect(shown.box().locator("[name=email]")).to_have_value("ivo@example.org")
    shown.fill("iva@example.org")
    expect(shown.box().get_by_role("status")).to_be_visible()
    assert only(publisher.signups("iva@example.org")).replaces


STRICT = (
    "default-src 'none'; script-src 'nonce-n' {service}; connect-src {service}; style-src 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types newsletter-signup"
)


def test_a_strict_policy_needs_only_what_is_documented(publisher: Publisher):
    shown = publisher.open(BOX, head=publisher.script, policy=STRICT.format(service=publisher.base_url))
    shown.fill("dora@example.org")
    expect(shown.box().get_by_role("status")).to_be_visible()
    assert shown.warnings == []


def test_a_policy_that_forbids_the_box_leaves_the_link(publisher: Publisher):
    policy = STRICT.format(service=publisher.base_url).replace("types newsletter-signup", "types other")
    shown = publisher.open(BOX, head=publisher.script, policy=policy)
    said(shown, "trusted types")
    expect(shown.box().get_by_role("link", name="Get the Morning Letter")).to_be_visible()


REPLACED = {
    "fetch and Promise": "window.fetch = () => { throw 1; }; window.Promise = function () { throw 1; };",
    "customElements": "customElements.define = () => { throw 1; }; customElements.get = () => 1;",
    "all of customElements": "Object.defineProperty(window, 'customElements', { value: { define() {} } });",
}


@pytest.mark.parametrize("replaced", REPLACED.values(), ids=REPLACED.keys())
def test_a_page_that_replaces_what_the_browser_offers_does_not_break_the_box(publisher: Publisher, replaced: str):
    later = (
        "setTimeout(() => document.body.insertAdjacentHTML('beforeend', document.querySelector('#later').innerHTML));"
    )
    body = f"<template id=later>{BOX}</template>{BOX}<script>{later}</script>"
    shown = publisher.open(body, head=f"<script>{replaced}</script>{publisher.script}")
    for number in (0, 1):
        expect(shown.box(number).locator("[name=email]")).to_be_visible()


def test_the_box_turns_no_weakness_of_the_page_into_a_script(publisher: Publisher):
    """A comment stands in for the script tag (DOM clobbering), and what all objects inherit names a way to lead to."""
    comment = '<img name=currentScript alt="" data-newsletter=morning data-onclick="told.push(1)">'
    polluted = "Object.defineProperty(Object.prototype, 'next', { value: 'javascript:told.push(2)' });"
    shown = publisher.open(f"{comment}{BOX}{publisher.script}", head=f"<script>{polluted}</script>")
    shown.fill("ines@example.org")
    expect(shown.box().get_by_role("status")).to_be_visible()
    expect(shown.page.locator("newsletter-signup")).to_have_count(1)
    assert shown.events == ['shown {"newsletter":"morning"}', 'sent {"newsletter":"morning"}']
    tag = publisher.script.replace("async", 'data-newsletter="morning" data-onclick="told.push(3)"')
    by_tag = publisher.open(tag)
    expect(by_tag.box().locator("[name=email]")).to_be_visible()
    assert by_tag.box().get_attribute("onclick") is None


def test_two_boxes_share_a_request_and_two_newsletters_stay_apart(publisher: Publisher):
    other = '<newsletter-signup newsletter="evening"></newsletter-signup>'
    requested: list[str] = []
    shown = publisher.open(BOX + other + BOX)
    shown.page.on("request", lambda request: requested.append(request.url))
    shown.page.add_script_tag(url=f"{publisher.base_url}/embed.js")
    expect(shown.box(2).locator("[name=email]")).to_be_visible()
    expect(shown.box(1).get_by_role("heading")).to_have_text("The Evening Letter")
    assert sorted(requested) == [
        f"{publisher.base_url}/embed.js",
        *(f"{publisher.base_url}/n/{slug}/form?language=en" for slug in ("evening", "morning")),
    ]
    shown.fill("emma@example.org", 1)
    expect(shown.box(1).get_by_role("status")).to_be_visible()
    expect(shown.box(0).locator("[name=email]")).to_have_value("")
    shown.page.add_script_tag(url=f"{publisher.base_url}/embed.js")
    assert shown.warnings == ["newsletter-signup: This page loads embed.js twice. Once is enough."]


def test_a_page_written_from_right_to_left_gets_a_box_in_its_language(publisher: Publisher):
    shown = publisher.open(BOX, head=publisher.script, html='lang="ar" dir="rtl"')
    box = shown.box().locator(".box")
    expect(box).to_have_attribute("dir", "rtl")
    expect(box).to_have_attribute("lang", "ar")
    heading, tick = (box.locator(each).bounding_box() for each in ("[name=consent] + span", "[name=consent]"))
    assert heading
    assert tick
    assert heading["x"] < tick["x"]


def test_in_a_box_of_the_other_direction_a_description_stands_at_the_name_that_it_belongs_to(publisher: Publisher):
    shown = publisher.open(BOX, head=publisher.script, html='lang="ar" dir="rtl"')
    consent = shown.box().locator("[name=consent] + span")
    # As in the list of a box of several newsletters.
    consent.evaluate('span => { span.innerHTML = `<b dir="auto">Tips</b><small lang="en" dir="ltr">Few</small>`; }')
    name, description = (consent.locator(each).evaluate(END) for each in ("b", "small"))
    assert name == description


# Where the words of an element end on the right.
END = """each => {
    const words = document.createRange();
    words.selectNodeContents(each);
    return Math.round(words.getBoundingClientRect().right);
}"""

# Whether the box of an element, as wide as its text, meets the one of the button that closes.
COVERED = """heading => {
    const close = heading.getRootNode().querySelector(".close").getBoundingClientRect();
    const words = document.createRange();
    words.selectNodeContents(heading);
    return [...words.getClientRects()].some(line => line.left < close.right && close.left < line.right
        && line.top < close.bottom && close.top < line.bottom);
}"""


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_the_button_that_closes_never_covers_a_title_of_either_direction(publisher: Publisher, direction: str):
    bar = BOX.replace("newsletter=", 'look="bar" newsletter=')
    html = f'lang="{"ar" if direction == "rtl" else "en"}" dir="{direction}"'
    shown = publisher.open(bar, head=publisher.script, html=html, viewport={"width": 320, "height": 700})
    shown.box().locator(".strip button").first.click()
    heading = shown.box().get_by_role("heading")
    expect(heading).to_be_visible()
    for title in ("Letters of a morning that is long", "رسالة صباح طويل من المدينة القديمة"):
        heading.evaluate("(each, title) => { each.textContent = title; each.parentNode.dir = 'auto'; }", title)
        assert not heading.evaluate(COVERED)


def test_a_dialog_opens_and_closes_by_keyboard_and_gives_the_focus_back(publisher: Publisher):
    box = BOX.replace(" newsletter=", " look=dialog opener=#join newsletter=")
    body = f"<button id=join>Letters</button>{box}"
    shown = publisher.open(body, head=publisher.script)
    dialog, opener, keys = shown.box().get_by_role("dialog"), shown.page.locator("#join"), shown.page.keyboard
    expect(shown.box().locator("dialog")).to_be_attached()
    expect(dialog).to_be_hidden()
    opener.focus()
    keys.press("Enter")
    expect(dialog).to_be_visible()
    keys.type("fay@example.org")
    keys.press("Tab")
    keys.press("Space")
    keys.press("Enter")
    expect(dialog.get_by_role("status")).to_be_focused()
    only(publisher.signups("fay@example.org"))
    keys.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()


def test_a_bar_stays_closed_for_the_page_and_opens_its_form(publisher: Publisher):
    bar = '<newsletter-signup newsletter="morning" look="bar"></newsletter-signup>'
    shown = publisher.open(f"<main style='height: 3000px'>Text</main>{bar}", head=publisher.script)
    region = shown.box().get_by_role("region")
    expect(region).to_be_in_viewport()
    assert region.bounding_box()["height"] < 90
    region.get_by_role("button", name="Subscribe").click()
    expect(region.locator("[name=email]")).to_be_focused()
    shown.page.keyboard.press("Escape")
    expect(region.locator("[name=email]")).to_be_hidden()
    region.get_by_role("button", name="Close").click()
    expect(region).to_have_count(0)
    shown.page.evaluate("bar => document.body.insertAdjacentHTML('beforeend', bar)", bar)
    expect(shown.box(1).locator(".box")).to_have_count(0)
    assert shown.page.evaluate("() => sessionStorage.length") == 0


def test_shortcuts_of_the_page_do_not_hear_what_is_typed(publisher: Publisher):
    shown = publisher.open(BOX, head=f"<script>onkeydown = event => told.push(event.key)</script>{publisher.script}")
    shown.box().locator("[name=email]").press_sequentially("gil@example.org")
    shown.box().locator("[name=email]").press("Escape")
    assert shown.events == ['shown {"newsletter":"morning"}', "Escape"]


def test_a_page_without_script_keeps_its_link(publisher: Publisher):
    shown = publisher.open(BOX, head=publisher.script, java_script_enabled=False)
    expect(shown.page.get_by_role("link", name="Get the Morning Letter")).to_be_visible()


def test_the_console_says_which_site_is_not_registered_and_which_newsletter_is_gone(publisher: Publisher):
    unregistered = publisher.open(BOX, head=publisher.script, host="localhost")
    said(unregistered, "newsletter sites add morning http://localhost:")
    expect(unregistered.box().get_by_role("link")).to_be_visible()
    gone = publisher.open(BOX.replace("morning", "gone"), head=publisher.script)
    said(gone, "There is no newsletter “gone” here.")
    expect(gone.box().get_by_role("link")).to_be_hidden()
    assert gone.events == ['failed {"newsletter":"gone","reason":"gone"}']


def test_a_box_of_several_newsletters_keeps_its_link_without_words_and_leads_to_its_first_error(publisher: Publisher):
    both, service = BOX.replace('"morning"', '"morning evening"'), publisher.service
    without = publisher.open(both, head=publisher.script)
    said(without, "No words of consent are published")
    expect(without.box().get_by_role("link", name="Get the Morning Letter")).to_be_visible()
    with service.site.database.writing() as session:
        by = {"language": "en", "actor": "tests", "now": service.clock()}
        wording_publication.publish_several(session, service.site.templates, newsletters.every(session), **by)
    service.let_the_site_read_newsletters_again()
    shown = publisher.open(both, head=publisher.script)
    shown.box().get_by_role("button", name="Subscribe").click()
    expect(shown.box().get_by_role("checkbox").first).to_be_focused()


def said(shown: HostPage, words: str) -> None:
    if not any(words in each for each in shown.warnings):
        shown.page.wait_for_event("console", lambda message: words in message.text)


def test_an_opener_that_is_no_selector_is_told_to_the_page_s_author(publisher: Publisher):
    box = BOX.replace(" newsletter=", " look=dialog opener='#[' newsletter=")
    shown = publisher.open(f"<button id=join>Letters</button>{box}", head=publisher.script)
    expect(shown.box().locator("dialog")).to_be_attached()
    shown.page.locator("#join").click()
    assert shown.warnings == ['newsletter-signup: Say which button of the page opens the dialog: opener="#id"']


def test_the_visitors_clock_does_not_matter(publisher: Publisher):
    shown = publisher.open(BOX, head=publisher.script)
    expect(shown.box().locator("[name=email]")).to_be_visible()
    shown.page.clock.set_system_time("2031-01-01T00:00:00Z")
    shown.fill("ida@example.org")
    expect(shown.box().get_by_role("status")).to_contain_text("Check your inbox")
    signup = only(publisher.signups("ida@example.org"))
    assert signup.received_at == publisher.service.clock()
