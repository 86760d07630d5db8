"""The check of the built site, which `make docs` runs, reports every kind of defect."""

import pytest

from tests.docs import site

POLICY = '<meta http-equiv="Content-Security-Policy" content="default-src \'self\'">'


@pytest.mark.parametrize(
    "fetching",
    [
        '<script src="https://cdn.example/a.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/css">',
        '<link rel="preconnect" href="https://fonts.example">',
        '<img src="a.png" srcset="a.png 1x, https://pictures.example/a.png 2x">',
        '<p style="background: url(https://pictures.example/a.png)"></p>',
        "<style>@import 'https://fonts.example/css';</style>",
        "<script>fetch('https://api.example/version')</script>",
    ],
)
def test_a_page_that_fetches_from_another_host_is_reported(fetching, tmp_path):
    (tmp_path / "index.html").write_text(f"<html><head>{POLICY}</head><body>{fetching}</body></html>")
    assert list(site.defects(tmp_path))


def test_styles_and_scripts_that_fetch_from_another_host_are_reported(tmp_path):
    (tmp_path / "a.css").write_text("@font-face { src: url('https://fonts.example/a.woff2') }")
    (tmp_path / "b.js").write_text('new WebSocket("wss://live.example/x")')
    assert len(list(site.defects(tmp_path))) == 2


def test_a_page_without_a_policy_is_reported(tmp_path):
    (tmp_path / "index.html").write_text("<p>Hello</p>")
    assert list(site.defects(tmp_path)) == ["index.html: no Content-Security-Policy"]


@pytest.mark.parametrize(
    "nowhere", ['<a href="b.html">', '<a href="#no">', '<a href="index.html#no">', '<img src="a.png">']
)
def test_a_broken_link_or_picture_is_reported(nowhere, tmp_path):
    (tmp_path / "index.html").write_text(f'<html><head>{POLICY}</head><body><a id="yes" href="#yes">{nowhere}</body>')
    (found,) = site.defects(tmp_path)
    assert "broken link" in found


def test_links_to_other_hosts_and_files_of_the_site_are_fine(tmp_path):
    body = '<a href="https://example.org/">away</a><img src="pictures/a.webp"><script src="a.js"></script>'
    (tmp_path / "index.html").write_text(f"<html><head>{POLICY}</head><body>{body}</body></html>")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/a.webp").touch()
    (tmp_path / "a.js").write_text('document.createElementNS("http://www.w3.org/2000/svg", "svg") // a comment')
    assert list(site.defects(tmp_path)) == []
