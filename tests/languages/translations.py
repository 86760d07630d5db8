"""Collect the texts of code and templates, and update the catalogues with them: `make translations`.

New texts are empty in each catalogue, and nothing is guessed from similar ones: a wrong guess looks like a translation.
"""

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_file
from babel.messages.pofile import write_po

from newsletter.languages import catalogues, compilation
from newsletter.languages.catalogue_check import UNTRANSLATED

ROOT = Path(__file__).parents[2]
TEMPLATE = catalogues.FOLDER / f"{catalogues.DOMAIN}.pot"
SOURCES = {  # patterns of files, by the method that reads them
    "python": ("newsletter/**/*.py",),
    "jinja2": ("templates/**/*.html", "templates/**/*.txt"),
}
KEYWORDS = DEFAULT_KEYWORDS | {"translatable": None, "translatable_plural": (1, 2)}
OPTIONS = {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}  # as newsletter/templating.py
COMMENT_TAGS = ("Translators:",)


def collect() -> Catalog:
    """Return the template of all catalogues: every marked text, in the order of its files."""
    template = Catalog(domain=catalogues.DOMAIN)
    for method, path in _files():
        found = extract_from_file(method, ROOT / path, KEYWORDS, COMMENT_TAGS, OPTIONS, strip_comment_tags=True)
        for _, text, comments, context in found:
            template.add(text, locations=[(path, 0)], auto_comments=comments, context=context)
    return template


def _files() -> Iterator[tuple[str, str]]:
    for method, patterns in SOURCES.items():
        paths = {str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern)}
        yield from ((method, path) for path in sorted(paths))


def update(new: list[str]) -> None:
    """Write the template, and each catalogue with its texts; also those of new languages."""
    template = collect()
    TEMPLATE.parent.mkdir(exist_ok=True)
    TEMPLATE.write_bytes(written(template))
    for tag in new:
        _path(tag).parent.mkdir(parents=True)
        _path(tag).write_text(_header(Catalog(locale=tag), UNTRANSLATED))
    for path in sorted(catalogues.FOLDER.glob(f"*/LC_MESSAGES/{catalogues.DOMAIN}.po")):
        catalogue = compilation.read(path)
        catalogue.update(template, no_fuzzy_matching=True)
        path.write_bytes(_header(catalogue, catalogue.header_comment).encode() + written(catalogue))
        texts = [message for message in catalogue if message.id]
        missing = sum(not message.string or not all(message.string) for message in texts)
        print(f"{path.parent.parent.name}: {len(texts)} texts, {missing} to translate")  # noqa: T201


def _path(tag: str) -> Path:
    return catalogues.FOLDER / tag / "LC_MESSAGES" / f"{catalogues.DOMAIN}.po"


def _header(catalogue: Catalog, comment: str) -> str:
    """Return the header that programs need, without dates and versions that change by themselves."""
    lines = [
        f"Language: {catalogue.locale_identifier}",
        f"Plural-Forms: {catalogue.plural_forms}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    ]
    return "\n".join([comment, 'msgid ""', 'msgstr ""', *(f'"{line}\\n"' for line in lines), "", ""])


def written(catalogue: Catalog) -> bytes:
    """Return a catalogue without its header."""
    file = BytesIO()
    write_po(file, catalogue, width=0, omit_header=True, ignore_obsolete=True, include_lineno=False)
    return file.getvalue()


if __name__ == "__main__":
    update(sys.argv[1:])
