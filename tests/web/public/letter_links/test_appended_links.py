"""The links in letters open whatever a mail program appends to them."""

import pytest

from newsletter.queues.wakeups import Queue

APPENDED = {
    "a tracking parameter": [
        "?utm_source=x",
        "&utm_source=x",
        "&amp;utm_source=x",
        "%3Futm_source=x",
        "/&utm_source=x",
    ],
    "punctuation": [".", ",", ";", ":", "!", ")", "]", "%5D", "%7D", "*", "|", "~", ".)", ").%3E", "\u3002", "\u2019s"],
    "quotes and tags": ["%22", "'", "\u2019", "\u00bb", ">", "%3E", "%3C/a%3E", "</a>", "%22>here</a>"],
    "slashes": ["/", "//", "/.", "/)", "/?utm_source=x"],
    "blanks": ["%20", "+", "%09", "%C2%A0", "%E2%80%8B", "%EF%BB%BF", "%C2%AD", "%20and%20more"],
    "line breaks": ["%0A", "%0D%0A", "%0D%0A%0D%0A", "%0D%0AText", "=", "%3D", "=%0D%0A"],
    "text": ["を開く", "#x", ".%20Text"],
}
APPENDED_TO_TOKENS = ["_", "--", "=3D", "=0D=0A", "%00", "%253E", ",ana", ";jsessionid=1", "@example.org"]


def waiting_letter(site):
    site.sign_up("ana@example.org")
    site.run(Queue.URGENT)
    return site.letters()[-1]


@pytest.mark.parametrize("appended", APPENDED.values(), ids=APPENDED)
def test_a_page_opens_from_its_link_with_more_behind_it(site, appended):
    for link in site.links(waiting_letter(site)):
        page = site.browser.get(link).text
        for tail in appended:
            assert site.browser.get(link + tail, follow_redirects=False).text == page, link + tail


@pytest.mark.parametrize("appended", APPENDED.values(), ids=APPENDED)
def test_a_button_works_from_its_link_with_more_behind_it(site, appended):
    letter = waiting_letter(site)
    for tail in appended:
        for path, field in [("confirm", "confirm"), ("u", "unsubscribe"), ("never", "never")]:
            link = site.link(letter, path) + tail
            answer = site.browser.post(link, data={field: "yes"}, follow_redirects=False)
            assert answer.status_code in (200, 410), link  # 410: an earlier button has ended the request
            assert "Not you?" not in answer.text


@pytest.mark.parametrize("tail", APPENDED_TO_TOKENS)
def test_a_page_opens_from_its_token_with_more_behind_it(site, tail):
    letter = waiting_letter(site)
    for link in [site.link(letter, path) for path in ("confirm", "never", "u")]:
        assert site.browser.get(link + tail).text == site.browser.get(link).text, link


def test_a_page_opens_from_doubled_slashes_and_percent_encoded_characters(site):
    letter = waiting_letter(site)
    for link in [site.link(letter, path) for path in ("confirm", "never", "u")]:
        page = site.browser.get(link).text
        encoded = "/".join("".join(f"%{ord(character):02x}" for character in part) for part in link.split("/"))
        doubled = f"/{link}", link.replace("/", "//")
        for spelling in (*doubled, link.replace(".", "%2E"), link.replace(".", "%252E"), encoded):
            assert site.browser.get(f"http://LOCALHOST{spelling}").text == page


@pytest.mark.parametrize("more", ["x", "A", "0", "xyz.", "0%20"])
def test_a_link_with_another_character_of_its_alphabet_behind_it_is_incomplete(site, more):
    letter = waiting_letter(site)
    for path in ("confirm", "never", "u"):
        link = ".".join(site.link(letter, path).split(".")[:2])  # up to the end of the token
        for answer in (site.browser.get(link + more), site.browser.get(link[:-1])):
            assert answer.status_code == 404
            assert "This link is incomplete" in answer.text


def test_a_link_to_confirm_that_was_cut_behind_its_token_still_confirms(site):
    link = site.link(waiting_letter(site), "confirm")
    page, token = site.browser.get(link), link.rpartition(".")[0]
    for cut in (link[:-1], link[: len(token) + 9], f"{token}.", token):
        assert site.browser.get(cut).text == page.text
    assert site.browser.post(token, data={"confirm": "yes"}).status_code == 200
