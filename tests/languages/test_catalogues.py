"""Catalogues: complete, well-formed, compiled, and refused by name where they are not."""

from pathlib import Path

import pytest
from babel.messages import Catalog

from newsletter.languages import catalogue_check, catalogues, compilation
from newsletter.languages.catalogues import DOMAIN, FOLDER, NotCompiled
from newsletter.languages.compilation import CatalogueError
from tests.languages import translations

HEADER = """\
# Review: draft
msgid ""
msgstr ""
"Language: pl\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: {forms}\\n"

"""
PLURAL = 'msgid "%(num)s letter"\nmsgid_plural "%(num)s letters"\n'
TEMPLATE = f'msgid "From <b>%(name)s</b>"\nmsgstr ""\n\n{PLURAL}msgstr[0] ""\nmsgstr[1] ""\n'
FORMS = Catalog(locale="pl").num_plurals
LETTERS = "".join(f'msgstr[{form}] "%(num)s listy"\n' for form in range(FORMS))
FROM = "Od <b>%(name)s</b>"


def catalogue(folder: Path, body: str, *, header: str = HEADER, forms: str | None = None) -> Path:
    """Write a template and a Polish catalogue, and return their folder."""
    (folder / "pl/LC_MESSAGES").mkdir(parents=True)
    (folder / f"{DOMAIN}.pot").write_text(TEMPLATE)
    right = Catalog(locale="pl").plural_forms
    (folder / f"pl/LC_MESSAGES/{DOMAIN}.po").write_text(header.format(forms=forms or right) + body)
    return folder


def message(translation: str) -> str:
    return f'msgid "From <b>%(name)s</b>"\nmsgstr "{translation}"\n\n{PLURAL}{LETTERS}'


def test_a_catalogue_is_compiled_and_found_by_gettext(tmp_path):
    (compiled,) = compilation.compile_all(catalogue(tmp_path, message(FROM)))
    polish = catalogues.translations("pl", tmp_path)

    assert compiled.suffix == ".mo"
    assert polish.gettext("From <b>%(name)s</b>") == FROM
    assert polish.ngettext("%(num)s letter", "%(num)s letters", 3) == "%(num)s listy"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (message(""), "empty"),
        (f"{PLURAL}{LETTERS}", "“From <b>%(name)s</b>”: missing"),
        ("#, fuzzy\n" + message(FROM), "fuzzy"),
        (message(FROM) + '\nmsgid "Old"\nmsgstr "Stary"\n', "“Old”: no longer in the source"),
        (message("Od <b>kogoś</b>"), "lacks the placeholder %(name)s"),
        (message("Od <b>%(nazwa)s</b>"), "unknown placeholder %(nazwa)s"),
        (message("Od <b>%(name)s</b> %(name"), "a percent sign is %%"),
        (message("Od <b>%(name)s</b> %(name)999999999d"), "a percent sign is %%"),
        (message("Od <b>%(name)s</b> {name.__class__}"), "no braces"),
        (message("Od <b>%(name)s</b> 100 %"), "a percent sign is %%"),
        (message("Od %(name)s"), "other tags"),
        (message("Od </b>%(name)s<b>"), "other tags"),
        (message("Od <b>%(name)s</b><script>"), "means something in HTML"),
        (message("Od <b>%(name)s</b> i & innych"), "means something in HTML"),
        (message('Od <b>%(name)s</b> \\"'), "means something in HTML"),
        (message("Od <b>%(name)s</b>, https://elsewhere.example"), "another web or e-mail address"),
        (message("Od <b>%(name)s</b>, ja@elsewhere.example"), "another web or e-mail address"),
        (message("Od <b>%(name)s</b>\u202e"), "RIGHT-TO-LEFT OVERRIDE"),
        (message("Od <b>%(name)s</b>\\n"), "invisible characters"),
        (message("Od <b>%(name)s</b> "), "spaces too many"),
        (message(FROM).replace(f'msgstr[{FORMS - 1}] "%(num)s listy"\n', ""), "“%(num)s letter”: needs"),
        (message(FROM).replace('msgstr[2] "%(num)s listy"', 'msgstr[2] ""'), "“%(num)s letter”: needs"),
        (message(FROM) + 'msgid "cut off', "newsletter.po"),
    ],
)
def test_the_build_fails_and_names_the_catalogue_and_the_message(tmp_path, body, reason):
    with pytest.raises(CatalogueError) as refused:
        compilation.compile_all(catalogue(tmp_path, body))

    assert "pl/LC_MESSAGES/newsletter.po" in str(refused.value)
    assert reason in str(refused.value)
    assert list(tmp_path.rglob("*.mo")) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"header": HEADER.replace("# Review: draft\n", "")}, "state of its review"),
        ({"header": HEADER.replace("draft", "perfect")}, "state of its review"),
        ({"forms": f"nplurals={FORMS}; plural=0;"}, "Plural-Forms must be"),
    ],
)
def test_a_catalogue_names_the_state_of_its_review_and_counts_as_its_language_does(tmp_path, changes, reason):
    with pytest.raises(CatalogueError, match=reason):
        compilation.compile_all(catalogue(tmp_path, message(FROM), **changes))


def test_a_catalogue_that_is_missing_or_changed_since_is_not_silently_english(tmp_path):
    catalogue(tmp_path, message(FROM))
    with pytest.raises(NotCompiled, match="make"):
        catalogues.translations("pl", tmp_path)

    compilation.compile_all(tmp_path)
    path = tmp_path / f"pl/LC_MESSAGES/{DOMAIN}.po"
    path.write_text(path.read_text().replace("Od ", "Do "))
    with pytest.raises(NotCompiled, match="make"):
        catalogues.translations("pl", tmp_path)


def test_the_catalogues_are_of_the_texts_that_the_code_and_the_templates_mark():
    assert translations.written(translations.collect()) == translations.TEMPLATE.read_bytes(), "run: make translations"


def test_every_language_has_a_catalogue_without_problems_that_is_compiled():
    template = compilation.read(translations.TEMPLATE)
    paths = sorted(FOLDER.glob("*/LC_MESSAGES/newsletter.po"))
    found = {path: catalogue_check.problems(compilation.read(path), template) for path in paths}

    assert catalogue_check.problems_in_english(template) == []
    assert {path: problems for path, problems in found.items() if problems} == {}
    assert {"en", *(path.parent.parent.name for path in paths)} == set(catalogues.LANGUAGES)
    for tag in catalogues.LANGUAGES:
        catalogues.translations(tag)


def test_a_language_is_offered_only_when_all_of_it_is_translated():
    catalogue_files = {tag: FOLDER / tag / "LC_MESSAGES" / f"{DOMAIN}.po" for tag in catalogues.LANGUAGES[1:]}
    headers = {tag: compilation.read(path).header_comment for tag, path in catalogue_files.items()}
    assert [tag for tag, header in headers.items() if catalogue_check.UNTRANSLATED in header] == []
