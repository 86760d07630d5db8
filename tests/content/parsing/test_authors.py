"""Authors: all of an entry, else those of its source or its feed, by name and without mail addresses."""

from itertools import repeat

import pytest

from newsletter.content.parsing import authors
from tests.content.parsing.feeds import atom_entry, json_entry, rss_entry


def person(*names: str) -> str:
    return "".join(f"<author><name>{name}</name></author>" for name in names)


def test_all_authors_of_an_entry_are_kept_once():
    assert atom_entry("<title>T</title>" + person("Ann", "Bob", "ann")).author == "Ann, Bob"
    creators = "<dc:creator>Ann</dc:creator><dc:creator>Bob</dc:creator><author>c@news.example (Cy)</author>"
    assert rss_entry(f"<title>T</title>{creators}<itunes:author>Ann</itunes:author>").author == "Ann, Bob, Cy"
    assert json_entry({"title": "T", "authors": [{"name": "Ann"}, {"url": "/b"}, {"name": "Bob"}]}).author == "Ann, Bob"


def test_an_entry_without_authors_has_those_of_its_source_else_of_its_feed():
    source = f"<source><title>S</title>{person('Sue', 'Tom')}</source>"
    assert atom_entry(f"<title>T</title>{source}", feed=person("Feed Author")).author == "Sue, Tom"
    assert atom_entry("<title>T</title>", feed=person("Ann", "Bob")).author == "Ann, Bob"
    assert atom_entry("<title>T</title>" + person("Own"), feed=person("Feed Author")).author == "Own"
    assert rss_entry("<title>T</title>", channel="<managingEditor>e@x.example (Ed)</managingEditor>").author == "Ed"
    both = "<managingEditor>e@x.example (Ed)</managingEditor><itunes:author>The Hosts</itunes:author>"
    assert rss_entry("<title>T</title>", channel=both).author == "The Hosts"
    assert json_entry({"title": "T"}, authors=[{"name": "Ann"}, {"name": "Bob"}]).author == "Ann, Bob"
    assert json_entry({"title": "T"}, author={"name": "Old"}).author == "Old"


def test_the_person_who_runs_the_server_is_no_author():
    assert rss_entry("<title>T</title>", channel="<webMaster>w@x.example (Webb)</webMaster>").author == ""


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Ann &amp;amp; Bob O&amp;#039;Neil", "Ann & Bob O'Neil"),
        ("Ann Writer &lt;ann@news.example&gt;, Bob &lt;bob@news.example&gt;", "Ann Writer, Bob"),
        ("ann@news.example", ""),
        ("By Ann Writer", "Ann Writer"),
        ("Byron", "Byron"),
        ("admin", "admin"),
        ("/u/ann", "/u/ann"),
        ("https://news.example/ann", ""),
        ("&lt;a href='/ann'&gt;Ann&lt;/a&gt;", "Ann"),
        ("Dr. Ann Müller-Lüdenscheidt", "Dr. Ann Müller-Lüdenscheidt"),
    ],
)
def test_an_author_is_a_name_as_it_is_written(written, name):
    assert rss_entry(f"<title>T</title><dc:creator>{written}</dc:creator>").author == name


def test_authors_of_any_form_never_raise():
    for odd in ([], {}, "Ann", ["Ann"], [None, 3, {"name": ["x"]}], {"name": None}, 7):
        assert json_entry({"title": "T", "authors": odd}).author in ("", "Ann")


def test_a_feed_that_repeats_its_author_without_end_costs_little():
    assert authors.joined(repeat("Ann")) == "Ann"
