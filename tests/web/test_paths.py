"""Pages open from the links that mail programs and people have changed on their way."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.web.paths import intended

segments = st.text(alphabet=string.ascii_letters + string.digits + "-_", min_size=1)
ours = st.lists(segments, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
appended = st.text(alphabet="/.,;:!?)]}>\"'= \t\r\n\u00a0\u200b\u2060\ufeff\u2019\u3002&#%")

TAILS = ["/", "//", ".", ",", ")", ">", '"', "%20", "%3E", "%0D%0A", "=", "%E2%80%8B", "%C2%A0", "%EF%BB%BF"]
QUERIES = ["?utm_source=x", "&utm_source=x", "&amp;utm_source=x", "%3Futm_source=x", "/?utm_source=x", "%23top"]


@given(ours, appended)
def test_what_is_appended_to_a_path_is_ignored(path, tail):
    assert intended(path + tail) == path


@given(ours)
def test_doubled_slashes_are_one(path):
    assert intended(path.replace("/", "//")) == intended(path.replace("/", "///")) == path


@given(st.text())
def test_an_intended_path_stays_as_it_is(text):
    path = intended(f"/{text}")
    assert intended(path) == path
    assert path.startswith("/")
    assert not path.startswith("//")


@pytest.mark.parametrize("path", ["/n/morning", "/archive", "/archive/morning", "/static/base.css"])
def test_a_public_page_opens_and_names_its_own_address(site, path):
    page = site.browser.get(path)
    assert "link" not in page.headers
    for tail in [*TAILS, *QUERIES]:
        answer = site.browser.get(path + tail, headers={"Host": "evil.example"}, follow_redirects=False)
        assert (answer.status_code, answer.text) == (200, page.text), tail
        if not tail.startswith("?"):
            assert answer.headers["link"] == f'<http://localhost{path}>; rel="canonical"'


@pytest.mark.parametrize("path", ["/)", "/%20", "/&utm_source=x", "/%E2%80%8B"])
def test_the_first_page_opens_with_what_was_appended_to_the_host(site, path):
    answer = site.browser.get(path)
    assert answer.text == site.browser.get("/").text
    assert answer.headers["link"] == '<http://localhost/>; rel="canonical"'


@pytest.mark.parametrize("path", ["//n/morning", "/n//morning", "///n///morning///"])
def test_a_page_opens_from_doubled_slashes(site, path):
    assert site.browser.get(f"http://localhost{path}").text == site.browser.get("/n/morning").text


@pytest.mark.parametrize("path", ["/.env", "/nowhere", "/nowhere/", "/n/evening/", "/n/morning/more", "/archive/ä"])
def test_a_path_of_no_page_is_not_found(site, path):
    assert site.browser.get(path).status_code == 404


def test_a_form_posted_to_a_trailing_slash_is_accepted(site):
    form = {**site.form(), "email": "ana@example.org"}
    assert site.browser.post("/subscribe/", data=form, follow_redirects=False).status_code == 202


def test_private_pages_name_no_canonical_address(site):
    for path in ("/confirm/k1.x/", "/nowhere/", "/metrics/"):
        assert "link" not in site.browser.get(path).headers
