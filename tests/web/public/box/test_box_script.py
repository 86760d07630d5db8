"""embed.js as it is served."""

import base64
import gzip
import hashlib

import pytest

from newsletter.embed.box_script import box_script

MAX_COMPRESSED_BYTES = 8_000


def test_the_script_is_small_and_any_page_may_load_it(service):
    answer = service.browser.get("/embed.js", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert int(answer.headers["Content-Length"]) < MAX_COMPRESSED_BYTES
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    again = service.browser.get("/embed.js", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_one_version_of_the_script_has_an_address_and_a_hash(service):
    script = box_script("http://localhost")
    answer = service.browser.get(script.path)
    digest = base64.b64encode(hashlib.sha384(answer.content).digest()).decode()
    assert script.integrity == f"sha384-{digest}"
    assert "immutable" in answer.headers["Cache-Control"]
    assert service.browser.get("/static/embed.0123456789ab.js").status_code == 404


@pytest.mark.parametrize("base_url", ["https://letters.example", "https://example.org/letters"])
def test_the_script_knows_its_service_and_has_no_comments(base_url):
    source = box_script(base_url).body.decode()
    assert f'const SERVICE = "{base_url}", STYLES = "' in source
    assert "/*" not in source.partition("STYLES = ")[2].partition('";')[0]
    assert not [line for line in source.splitlines() if line.startswith(("//", " "))]
    assert len(gzip.compress(source.encode())) < MAX_COMPRESSED_BYTES
