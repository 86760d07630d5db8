"""The plain text of legal pages: headings, paragraphs, lists and links."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.legal_pages import marked_text
from newsletter.legal_pages.marked_text import TextPiece


def hrefs(text: str) -> list[str]:
    lines = [line for section in marked_text.read(text) for block in section.blocks for line in block.lines]
    return [piece.href for line in lines for piece in line if piece.href]


def test_headings_paragraphs_lists_and_line_breaks_are_told_apart():
    first, second, third = marked_text.read(
        "Before\n\n# Publisher\nThe Press\n1 Street\n\nMore\n- one\n- two\n\n\n# Contact\r\n"
    )
    assert (first.heading, len(first.blocks)) == (None, 1)
    assert [(block.is_list, len(block.lines)) for block in second.blocks] == [(False, 2), (False, 1), (True, 2)]
    assert (third.heading, third.blocks) == ("Contact", [])
    assert marked_text.read(" \n\n") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write to ann@press.example.", ["mailto:ann@press.example"]),
        ("See https://press.example/a?b=c#d, or (https://press.example).", None),
        ("“https://press.example/”", ["https://press.example/"]),
        ("اكتبوا إلى \u2068ann@press.example\u2069.", ["mailto:ann@press.example"]),
        ("javascript:alert(1) www.press.example @press", []),
        ('<a href="x">https://press.example"onclick=</a>', ["https://press.example"]),
    ],
)
def test_addresses_of_pages_and_mailboxes_become_links_without_what_follows_them(text, found):
    assert hrefs(text) == (["https://press.example/a?b=c#d", "https://press.example"] if found is None else found)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_no_character_but_blanks_and_marks_is_lost(text):
    shown = [
        piece.text if isinstance(piece, TextPiece) else piece
        for section in marked_text.read(text)
        for line in [[section.heading or ""], *(line for block in section.blocks for line in block.lines)]
        for piece in line
    ]
    left = "".join("".join(shown).split()).replace("-", "").replace("#", "")
    assert left == "".join(text.split()).replace("-", "").replace("#", "")
