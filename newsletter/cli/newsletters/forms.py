"""newsletter forms: publish a form of several newsletters, print one to paste, list those that were published."""

from pathlib import Path
from typing import Annotated, Any

import typer

from newsletter import audit_log, clock, newsletters, registered_sites, templating
from newsletter.cli import console
from newsletter.cli.newsletters.wordings import InformationFile, read_information, spoken_in
from newsletter.consent.wordings import forms, pasted_forms, wording_publication

app = typer.Typer(
    help="Sign-up forms of several newsletters, and forms to paste.", no_args_is_help=True, rich_markup_mode=None
)

Slugs = Annotated[list[str], typer.Argument(help="The newsletters' slugs.")]
FormLanguage = Annotated[
    str | None, typer.Option(help="Language of the form; by default that of the first newsletter.")
]


@app.command()
def publish(
    slugs: Slugs,
    language: FormLanguage = None,
    wording: Annotated[str | None, typer.Option(help="Your own consent text; by default the proposed one.")] = None,
    information: InformationFile = None,
    as_json: console.Json = False,
) -> None:
    """Publish a form on which visitors tick several newsletters. The start page shows the newest of its language."""
    with console.database() as database, database.writing() as session:
        offered = newsletters.all_named(session, slugs)
        tag = spoken_in(offered[0], language)
        new = wording_publication.publish_several(
            session,
            templating.environment,
            offered,
            language=tag,
            text=wording,
            information=read_information(information, tag),
            actor=audit_log.system_user(),
            now=clock.now(),
        )
        answer = {"wording": new.id, "version": new.version, "language": tag, "text": new.text}
    console.show(answer, as_json=as_json, text=f"The form is published. Visitors agree to these words:\n  {new.text}")


@app.command()
def paste(
    slugs: Slugs,
    language: FormLanguage = None,
    output: Annotated[Path | None, typer.Option(help="File to write; by default the terminal.")] = None,
    as_json: console.Json = False,
) -> None:
    """Print a form to paste into a page of your own, and keep it as evidence: as generated, the page not seen.

    A form of several newsletters has to be published first: newsletter forms publish. The site of the page has to be
    registered for each of them: newsletter sites add.
    """
    configured = console.configured()
    with console.database(configured) as database, database.writing() as session:
        offered = newsletters.all_named(session, slugs)
        form, html = pasted_forms.publish(
            session,
            templating.environment,
            offered,
            language=spoken_in(offered[0], language),
            base_url=configured.base_url,
            actor=audit_log.system_user(),
            now=clock.now(),
        )
        answer = {"form": form.id, "wording": form.wording_id, "language": form.language, "html": html}
        without_site = [each.slug for each in offered if not registered_sites.of(session, each.id)]
    if output:
        output.write_text(html, "utf-8")
    for slug in without_site:
        unregistered = f"Sign-ups on it are refused until you register your site: newsletter sites add {slug} ADDRESS"
        typer.echo(unregistered, err=True)
    console.show(answer, as_json=as_json, text=f"Form {answer['form']} is in {output}." if output else html)


@app.command("list")
def listed(as_json: console.Json = False) -> None:
    """List the forms that were published, the oldest first."""
    with console.database() as database, database.reading() as session:
        slugs = {each.id: each.slug for each in newsletters.every(session)}
        rows: list[dict[str, Any]] = [
            {
                "form": each.id,
                "kind": each.kind,
                "language": each.language,
                "newsletters": [slugs[number] for number in each.newsletters],
                "wording": each.wording_id,
                "exhibit": each.exhibit,
                "published_at": each.published_at,
            }
            for each in forms.every(session)
        ]
    lines = [
        f"{row['form']:>6} {row['kind']:<7} {row['language']:<6} {row['published_at']:%Y-%m-%d %H:%M} UTC"
        f"  {', '.join(row['newsletters'])}"
        for row in rows
    ]
    console.show(
        rows, as_json=as_json, text="\n".join(lines) or "No forms yet. Publish words: newsletter newsletters wording"
    )
