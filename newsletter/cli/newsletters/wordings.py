"""newsletter newsletters wording and proposal: publish words of consent in a language, and read what is proposed."""

from pathlib import Path
from typing import Annotated

import typer

from newsletter import audit_log, clock, newsletters, templating
from newsletter.cli import console
from newsletter.cli.newsletters import change_report
from newsletter.consent.wordings import information_texts, proposed_words, wording_publication, wordings
from newsletter.consent.wordings.proposed_words import Information
from newsletter.errors import Malformed, NotFound, Refused
from newsletter.newsletters import Newsletter

TEXT = "The full consent text; by default the proposed one, or with --information the one that is published."

Slug = Annotated[str, typer.Argument(help="The newsletter's slug.")]
WordingLanguage = Annotated[str | None, typer.Option(help="Language of the words; by default the newsletter's.")]
InformationFile = Annotated[
    Path | None,
    typer.Option(
        help="What GDPR Art. 13 asks to tell, in the same language, as `proposal --information` prints it: a term on a "
        "line, its text on the next ones, an empty line.",
    ),
]


def publish(
    slug: Slug,
    text: Annotated[str | None, typer.Argument(help=TEXT)] = None,
    language: WordingLanguage = None,
    information: InformationFile = None,
    as_json: console.Json = False,
) -> None:
    """Publish words of consent as a new version. Proofs of earlier consents keep the words that were shown."""
    with console.database() as database, database.writing() as session:
        newsletter = newsletters.named(session, slug)
        tag = spoken_in(newsletter, language)
        told = read_information(information, tag)
        kept = wordings.current(session, newsletter.id, tag) if told else None  # only what stands beside it changes
        text = text or (kept.text if kept else proposed_words.consent_text([newsletter], tag))
        if text is None:
            raise Refused(change_report.no_proposal(newsletter, tag))
        new = wording_publication.publish(
            session,
            templating.environment,
            newsletter,
            text=text,
            language=tag,
            information=told,
            actor=audit_log.system_user(),
            now=clock.now(),
        )
        told_in = new.information["language"] if new.information else "en"
        answer = {"wording": new.id, "version": new.version, "language": tag, "text": new.text}
        lines = [f"Version {new.version} is published ({tag}):", f"  {new.text}"]
        if tag not in newsletter.languages:
            lines.append(change_report.offer_line(newsletter, tag))
        if told_in != tag:
            lines.append(f"The information beside it is in “{told_in}”. To give your own: --information FILE")
        lines += change_report.missing_lines(newsletter, wording_publication.missing_languages(session, newsletter))
    console.show({**answer, "information_language": told_in}, as_json=as_json, text="\n".join(lines))


def propose(
    slug: Slug,
    language: WordingLanguage = None,
    information: Annotated[
        bool, typer.Option("--information", help="Print the information of GDPR Art. 13, to edit.")
    ] = False,
    as_json: console.Json = False,
) -> None:
    """Print the words that are proposed in a language. Nothing is published: that is yours to do, after reading."""
    with console.database() as database, database.reading() as session:
        newsletter = newsletters.named(session, slug)
        tag = spoken_in(newsletter, language)
        text = proposed_words.consent_text([newsletter], tag)
        told = proposed_words.information([newsletter], tag)
    if text is None:
        raise NotFound(change_report.no_proposal(newsletter, tag))
    answer = {"language": tag, "text": text, "information": told}
    console.show(answer, as_json=as_json, text=information_texts.written(told) if information else text)


def spoken_in(newsletter: Newsletter, language: str | None) -> str:
    """Return the language that an option names, as it is stored; without one, the newsletter's. Raises Malformed."""
    return newsletter.spelling(language) if language else newsletter.language


def read_information(file: Path | None, tag: str) -> Information | None:
    """Return the information in a file: paragraphs, each a term on its first line and then the text."""
    if file is None:
        return None
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Malformed("information", f"{file} cannot be read as UTF-8 text: {error}") from None
    return information_texts.read(text, tag)
