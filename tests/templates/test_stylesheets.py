import re
from pathlib import Path

import newsletter.web

STATIC = Path(newsletter.web.__file__).parent / "static"


def test_the_stylesheets_are_small():
    assert sum((STATIC / name).stat().st_size for name in ("tokens.css", "base.css")) < 14_000


def test_the_stylesheets_load_nothing():
    for sheet in STATIC.glob("*.css"):
        assert not re.search(r"url\(|@import|//", sheet.read_text())


def test_colors_are_defined_once_and_used_by_name():
    rules = (STATIC / "base.css").read_text()
    assert set(re.findall(r"#[0-9a-f]{3,8}\b", rules)) <= {"#fff", "#000a"}  # a letter's own paper; a dialog's shade


def test_no_word_is_wider_than_its_page():
    assert re.search(r"^html \{[^}]*overflow-wrap: anywhere", (STATIC / "base.css").read_text(), re.MULTILINE)
