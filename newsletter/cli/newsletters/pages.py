"""newsletter pages: show, edit and reset the texts of privacy notice, imprint and accessibility statement."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from newsletter import audit_log, clock, newsletters
from newsletter.cli import console
from newsletter.cli.newsletters.wordings import Slug, spoken_in
from newsletter.consent.wordings import wordings
from newsletter.errors import Malformed
from newsletter.languages.languages import language as language_of
from newsletter.legal_pages import page_texts
from newsletter.legal_pages.generated_texts import generated
from newsletter.legal_pages.page_texts import LegalPage
from newsletter.newsletters import Newsletter

app = typer.Typer(
    help="Texts of your own for privacy notice, imprint and accessibility statement.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Page = Annotated[LegalPage, typer.Argument(help="The page.")]
PageLanguage = Annotated[str | None, typer.Option(help="Language of the text; by default the newsletter's.")]
TextFile = Annotated[
    Path,
    typer.Argument(
        help="File with the text, or - for the standard input. A line that begins with # is a heading, lines that "
        "begin with - are a list, an empty line parts paragraphs."
    ),
]


@app.command()
def show(
    slug: Slug,
    page: Page,
    language: PageLanguage = None,
    output: Annotated[Path | None, typer.Option(help="File to write; by default the terminal.")] = None,
    as_json: console.Json = False,
) -> None:
    """Print the text of a page: your own in this language, or the generated one."""
    with console.database() as database, database.reading() as session:
        newsletter = newsletters.named(session, slug)
        tag = spoken_in(newsletter, language)
        own = page_texts.own(session, newsletter.id, page)
        text = own.get(tag) or _generated(session, newsletter, page, tag)
    answer = {"page": page, "language": tag, "is_own": tag in own, "own_languages": list(own), "text": text}
    if output:
        output.write_text(f"{text}\n", "utf-8")
    console.show(answer, as_json=as_json, text=f"The text is in {output}." if output else text)


@app.command()
def edit(slug: Slug, page: Page, file: TextFile, language: PageLanguage = None, as_json: console.Json = False) -> None:
    """Show a text of your own on a page. It is then shown in the languages of your own texts alone."""
    text = _read(file)
    with console.database() as database, database.writing() as session:
        newsletter = newsletters.named(session, slug)
        tag = spoken_in(newsletter, language)
        page_texts.change(session, newsletter, page, tag, text, actor=audit_log.system_user(), now=clock.now())
        own = list(page_texts.own(session, newsletter.id, page))
    missing = [each for each in newsletter.languages if each not in own]
    lines = [f"The page /n/{slug}/{page} shows your text ({tag})."]
    if missing:
        lines.append(f"Visitors who read {', '.join(missing)} see it too, until you enter a text in their language.")
    console.show({"page": page, "language": tag, "own_languages": own}, as_json=as_json, text="\n".join(lines))


@app.command()
def reset(slug: Slug, page: Page, language: PageLanguage = None, as_json: console.Json = False) -> None:
    """Remove your own text of a page. Without any, the page is generated again."""
    with console.database() as database, database.writing() as session:
        newsletter = newsletters.named(session, slug)
        tag = spoken_in(newsletter, language)
        page_texts.reset(session, newsletter, page, tag, actor=audit_log.system_user(), now=clock.now())
        own = list(page_texts.own(session, newsletter.id, page))
    now_shown = f"in your own words ({', '.join(own)})" if own else "as it is generated"
    text = f"Your text ({tag}) is removed. The page /n/{slug}/{page} is shown {now_shown}."
    console.show({"page": page, "language": tag, "own_languages": own}, as_json=as_json, text=text)


def _generated(session: Session, newsletter: Newsletter, page: LegalPage, tag: str) -> str:
    published = wordings.current(session, newsletter.id, tag)
    return generated(page, newsletter, language_of(tag), information=published.information if published else None)


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Malformed("text", f"{file} cannot be read as UTF-8 text: {error}") from None
