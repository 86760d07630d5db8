"""newsletter newsletters box: what the box on the publisher's page says, and the lines to put into that page."""

from typing import Annotated

import typer

from newsletter import audit_log, clock, newsletters, registered_sites, templating
from newsletter.cli import console
from newsletter.cli.newsletters.wordings import spoken_in
from newsletter.consent.wordings import box_texts, shown_words
from newsletter.embed.snippet import snippet


def box(
    slugs: Annotated[
        list[str], typer.Argument(help="The newsletter's slug; several for a box in which visitors tick them.")
    ],
    language: Annotated[
        str | None, typer.Option(help="Language of the text; by default that of the first newsletter.")
    ] = None,
    title: Annotated[
        str | None, typer.Option(help="Line above the form; at first the name, or whose they are.")
    ] = None,
    text: Annotated[str | None, typer.Option(help='Text below it; at first the description; "" for none.')] = None,
    integrity: Annotated[
        bool, typer.Option("--integrity", help="Name the script's hash. After an upgrade, paste the lines anew.")
    ] = False,
    as_json: console.Json = False,
) -> None:
    """Change what the box says, if that is given; print it, and the lines to put into your page.

    Each newsletter has a title and a text for its own box, and those that share a box have others for that one.
    """
    configured = console.configured()
    changes = title is not None or text is not None
    with console.database(configured) as database, database.writing() if changes else database.reading() as session:
        offered = newsletters.all_named(session, slugs)
        shown_words.check_one_publisher(offered)
        tag = spoken_in(offered[0], language)
        if changes:
            says = box_texts.change(
                session,
                templating.environment,
                offered,
                language=tag,
                title=title,
                text=text,
                actor=audit_log.system_user(),
                now=clock.now(),
            )
        else:
            says = box_texts.of(session, offered, tag)
        has_words = tag in shown_words.by_language(session, offered)
        sites = registered_sites.of_all(session, offered)
        lines = snippet(offered, configured.base_url, integrity=integrity)
    named = [each.slug for each in offered]
    answer = {
        "newsletters": named,
        "language": tag,
        "title": says.title,
        "text": says.text,
        "sites": sites,
        "snippet": lines,
    }
    notes = [f"The box says ({tag}):", f"  {says.title}", *([f"  {says.text}"] if says.text else [])]
    if not has_words:
        publish = shown_words.publishing_command(offered, tag)
        notes.append(f"It is not shown in “{tag}” before words of consent are published: {publish}")
    if not sites:
        commands = "; ".join(f"newsletter sites add {slug} https://www.example.org" for slug in named)
        notes.append(f"No site may show it yet: {commands}")
    notes += ["Put these lines where your page shall show it:", "", lines]
    console.show(answer, as_json=as_json, text="\n".join(notes))
