"""Static files under names of their content; entity tags and compression of public responses, and of no others."""

import gzip
import io
import re
from collections.abc import Iterator

import pytest
from PIL import Image

from newsletter.appearance import icons, static_files
from tests.whole_service import WholeService, whole_service

PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture
def site(sqlite_url, tmp_path) -> Iterator[WholeService]:
    with whole_service(sqlite_url, tmp_path) as service:
        service.newsletter(brand="#d0021b")
        yield service


def test_the_files_of_a_page_are_kept_for_a_year_and_unknown_contents_are_not_found(site):
    page = site.browser.get("/n/morning").text
    files = re.findall(r'<link rel="(?:stylesheet|icon)" href="([^"]+)"', page)
    assert [re.sub(r"\.[0-9a-f]{12}\.", ".", file) for file in files] == [
        "/static/tokens.css",
        "/static/brand-d0021b.css",
        "/static/icon-d0021b.svg",
        "/static/base.css",
    ]
    for file in files:
        answer = site.browser.get(file)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        other = re.sub(r"\.[0-9a-f]{12}\.", ".0123456789ab.", file)
        assert site.browser.get(other).status_code == 404
        unnamed = re.sub(r"\.[0-9a-f]{12}\.", ".", file)
        assert site.browser.get(unnamed).headers["cache-control"] == "no-cache"
    assert site.browser.get("/brand/d0021b.css").text == site.browser.get(files[1]).text


def test_no_other_file_is_served(site):
    for name in ("base.svg", "brand.css", "icon.svg", "brand-d0021b.svg", "base-d0021b.css", "..%2fapp.py", "%00.css"):
        assert site.browser.get(f"/static/{name}").status_code == 404


def test_the_icon_is_a_picture_in_the_newsletters_color(site):
    answer = site.browser.get("/favicon.ico")
    with Image.open(io.BytesIO(answer.content)) as icon:
        assert (icon.format, icon.size) == ("ICO", (icons.SIZE, icons.SIZE))
        red, green, blue = icon.convert("RGB").getpixel((1, 1))
        assert red > 2 * max(green, blue)
        assert icon.convert("RGB").getpixel((10, 9)) == (255, 255, 255)


@pytest.mark.parametrize("path", ["/n/morning", "/static/base.css"])
def test_a_public_response_has_an_entity_tag_and_is_compressed_for_those_who_accept_it(site, path):
    plain = site.browser.get(path, headers=PLAIN)
    assert "content-encoding" not in plain.headers
    with site.browser.stream("GET", path, headers={"Accept-Encoding": "br;q=1, gzip;q=0.5"}) as packed:
        body = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == plain.content
    assert len(body) == int(packed.headers["content-length"]) < len(plain.content)
    assert "Accept-Encoding" in packed.headers["vary"]
    tag = plain.headers["etag"]
    assert packed.headers["etag"] == tag
    assert site.browser.head(path, headers=PLAIN).headers["etag"] == tag
    known = site.browser.get(path, headers={"If-None-Match": f'"other", {tag}'})
    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
    assert site.browser.get(path, headers={"If-None-Match": 'W/"other"'}).status_code == 200
    for refusing in ("gzip;q=0", "gzip; q=0.0, *", "", "br"):
        assert "content-encoding" not in site.browser.get(path, headers={"Accept-Encoding": refusing}).headers


def test_a_page_behind_a_link_or_with_what_was_entered_is_neither_tagged_nor_compressed(site):
    letter = site.reader("ana@example.org")
    answers = [
        site.browser.get(site.link(letter, "confirm")),
        site.browser.get(site.link(letter, "never")),
        site.browser.post("/subscribe", data={**site.form(), "email": "not an address"}),
        site.browser.get("/nowhere"),
    ]
    for answer in answers:
        assert len(answer.content) > 512
        assert not {"etag", "content-encoding"} & answer.headers.keys()


def test_a_name_of_no_file_has_no_url():
    with pytest.raises(KeyError):
        static_files.url("none.css")
