"""Compile the catalogues, which installing does (hatch_build.py): from the .po files of translators to gettext's .mo.

Compiling refuses a catalogue with any problem and says which message has it.
"""

from hashlib import sha256
from pathlib import Path

from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po

from newsletter.languages import catalogue_check, catalogues


class CatalogueError(Exception):
    """Catalogues cannot be compiled; the message lists every problem with its file and its English text."""


def compile_all(folder: Path = catalogues.FOLDER) -> list[Path]:
    """Compile each catalogue of a folder and return the compiled files. Raises CatalogueError."""
    template = read(folder / f"{catalogues.DOMAIN}.pot")
    found = [f"{catalogues.DOMAIN}.pot: {each}" for each in catalogue_check.problems_in_english(template)]
    read_catalogues: dict[Path, Catalog] = {}
    for path in sorted(folder.glob(f"*/LC_MESSAGES/{catalogues.DOMAIN}.po")):
        read_catalogues[path] = read(path)
        found += [
            f"{path.relative_to(folder)}: {each}" for each in catalogue_check.problems(read_catalogues[path], template)
        ]
    if found:
        raise CatalogueError("\n".join(["The catalogues cannot be compiled.", *found]))
    return [_compile(path, catalogue) for path, catalogue in read_catalogues.items()]


def read(path: Path) -> Catalog:
    """Return a catalogue. Raises CatalogueError if it is no catalogue."""
    try:
        with path.open("rb") as file:
            return read_po(file, locale=path.parent.parent.name if path.suffix == ".po" else None, abort_invalid=True)
    except (OSError, ValueError, PoFileError) as error:
        raise CatalogueError(f"{path}: {error}") from error


def _compile(path: Path, catalogue: Catalog) -> Path:
    catalogue.add(catalogues.SOURCE_DIGEST, sha256(path.read_bytes()).hexdigest(), context=catalogues.SOURCE)
    compiled = path.with_suffix(".mo")
    with compiled.open("wb") as file:
        write_mo(file, catalogue)
    return compiled
