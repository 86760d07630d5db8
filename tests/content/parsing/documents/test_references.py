# ruff: noqa: RUF001 - texts of many languages
"""References: HTML's entities, those that nobody declared, and ampersands that are none."""

import pytest

from newsletter.content.parsing.documents.references import resolve


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Caf&eacute;&nbsp;&hellip;", "Café\xa0…"),
        ("Salt & pepper, Q&A, AT&T;", "Salt &amp; pepper, Q&amp;A, AT&amp;T;"),
        ("&lt;b&gt; &amp;eacute; &quot;&apos;", "&lt;b&gt; &amp;eacute; &quot;&apos;"),
        ("&LT; &AMP; &mine;", "&lt; &amp; &amp;mine;"),
        ("&#8217;&#x2019;", "&#8217;&#x2019;"),
        ("it&#146;s &#x93;new&#x94;", "it’s “new”"),
        ("a&#0;b&#x1f;c&#xD800;d&#1114112;e&#xFFFF;", "a b c d e "),
        ('<a href="?a=1&b=2&copy=3"/>', '<a href="?a=1&amp;b=2&amp;copy=3"/>'),
        ("&", "&amp;"),
        ("&#", "&amp;#"),
    ],
)
def test_a_reference_means_what_it_means_in_html(written, read):
    assert resolve(written) == read


@pytest.mark.parametrize("section", ["<![CDATA[Salt & pepper &eacute; <!-- ]]>", "<!-- &mine; <![CDATA[ -->"])
def test_sections_without_markup_stay_as_they_are(section):
    assert resolve(f"&{section}&") == f"&amp;{section}&amp;"


def test_a_section_that_never_ends_stays_as_it_is():
    assert resolve("& <![CDATA[ & & -->") == "&amp; <![CDATA[ & & -->"
