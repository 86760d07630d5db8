"""Headings: the subject of an issue, and the title above its articles."""

from gettext import NullTranslations

import pytest

from newsletter.content.issues.headings import headline
from newsletter.languages.languages import Language


@pytest.mark.parametrize(
    ("titles", "subject"),
    [
        ([], "Nothing new"),
        (["One"], "One"),
        (["One."], "One."),
        (["One.", "Two", "Three"], "One, and 2 more"),
        (["Word " * 30], "Word " * 17 + "Word…"),
        (["Word " * 30, "Two"], "Word " * 14 + "Word…, and 1 more"),
    ],
)
def test_the_subject_is_the_first_title_and_the_number_of_others(titles, subject):
    assert headline([title.strip() for title in titles]) == subject


class Shouting(NullTranslations):
    """A language whose only rule is that it writes the number first."""

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return "[%(n)s] %(title)s"


def test_the_subject_is_made_in_the_language_of_its_readers():
    shouting = Language("en", Shouting())
    assert headline(["The bus is late.", "Two", "Three"], shouting) == "[2] The bus is late"
    assert headline(["Word " * 30, "Two"], shouting) == "[1] " + "Word " * 16 + "Word…"
