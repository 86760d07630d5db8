"""Languages: their words and formats, also of regions, of tags without a catalogue, and of the pseudo-locale."""

from datetime import UTC, datetime

import pytest
from markupsafe import Markup

from newsletter import templating
from newsletter.languages import catalogues
from newsletter.languages.languages import language
from newsletter.languages.pseudo import CLOSING, OPENING
from newsletter.languages.translatable import translatable, translatable_plural

JANUARY = datetime(2026, 1, 8, 14, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tag", "known_as", "day"),
    [
        ("en", "en", "Thursday 8 January 2026"),
        ("de", "de", "Donnerstag, 8. Januar 2026"),
        ("de-AT", "de-AT", "Donnerstag, 8. Jänner 2026"),
        ("pt-BR", "pt-BR", "quinta-feira, 8 de janeiro de 2026"),
        ("en-US", "en-US", "Thursday, January 8, 2026"),
        ("ja", "ja", "2026年1月8日木曜日"),
        ("ar", "ar", "الخميس، 8 يناير 2026"),
        ("de-x-informal", "de-x-informal", "Donnerstag, 8. Januar 2026"),
        ("el", "en", "Thursday 8 January 2026"),
    ],
)
def test_a_tag_gets_the_formats_of_its_region_and_the_words_of_a_catalogue(tag, known_as, day):
    assert (language(tag).tag, language(tag).day(JANUARY)) == (known_as, day)


@pytest.mark.parametrize("tag", catalogues.LANGUAGES)
def test_digits_are_latin_and_hours_count_to_24_in_every_language(tag):
    spoken = language(tag)
    assert spoken.when(JANUARY).count("14:05") == 1
    assert [digit for digit in "1234567" if digit not in spoken.number(1234567)] == []


def test_a_translatable_text_is_english_as_a_string_and_in_the_form_that_its_number_needs():
    assert str(translatable("At most %(most)s %% of %(whole)s.", most=5, whole="it")) == "At most 5 % of it."
    for count, told in ((0, "0 letters"), (1, "1 letter"), (1200, "1200 letters")):
        assert str(translatable_plural("%(n)s letter", "%(n)s letters", count)) == told
    assert language("en").text(translatable_plural("%(n)s letter", "%(n)s letters", 1200)) == "1,200 letters"


def test_the_pseudo_locale_marks_every_text_and_nothing_else():
    pseudo = templating.environment("en-XA")
    template = pseudo.from_string(
        "{% trans %}Read <b>all</b> of {{ name }}{% endtrans %} {{ gettext('Sign up') }} {{ name }} "
        "{% trans num=2 %}{{ num }} letter{% pluralize %}{{ num }} letters{% endtrans %}"
    )
    marked = template.render(name="Zoe")

    assert marked == "⟦Rêâd <b>âll</b> ôf Zoe⟧ ⟦Sîgñ ûp⟧ Zoe ⟦2 lêttêrš⟧"
    assert (marked[0], marked[-1]) == (OPENING, CLOSING)
    assert "en-XA" not in catalogues.LANGUAGES


def test_values_are_escaped_and_texts_are_not():
    template = templating.environment("en").from_string("{{ _('<b>%(name)s</b> and %(link)s', name=name, link=link) }}")
    assert template.render(name="<i>", link=Markup("<a>")) == "<b>&lt;i&gt;</b> and <a>"
