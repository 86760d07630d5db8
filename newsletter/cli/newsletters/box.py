"""newsletter newsletters box: what the box on the publisher's page says, and the lines to put into that page."""

from typing import Annotated

import typer

from newsletter import audit_log, clock, newsletters, registered_sites, templating
from newsletter.cli import console
from newsletter.cli.newsletters.wordings import spoken_in
from newsletter.consent.wordings import box_texts, wordings
from newsletter.embed.snippet import snippet


def box(
    slug: Annotated[str, typer.Argument(help="The newsletter's slug.")],
    language: Annotated[str | None, typer.Option(help="Language of the text; by default the newsletter's.")] = None,
    title: Annotated[str | None, typer.Option(help="Line above the form; at first the newsletter's name.")] = None,
    text: Annotated[str | None, typer.Option(help='Text below it; at first the description; "" for none.')] = None,
    integrity: Annotated[
        bool, typer.Option("--integrity", help="Name the script's hash. After an upgrade, paste the lines anew.")
    ] = False,
    as_json: console.Json = False,
) -> None:
    """Change what the box says, if that is given; print it, and the lines to put into your page."""
    configured = console.configured()
    changes = title is not None or text is not None
    with console.database(configured) as database, database.writing() if changes else database.reading() as session:
        newsletter = newsletters.named(session, slug)
        tag = spoken_in(newsletter, language)
        if changes:
            says = box_texts.change(
                session,
                templating.environment,
                newsletter,
                language=tag,
                title=title,
                text=text,
                actor=audit_log.system_user(),
                now=clock.now(),
            )
        else:
            says = box_texts.of(session, newsletter, tag)
        has_words = wordings.current(session, newsletter.id, tag) is not None
        sites = [site.origin for site in registered_sites.of(session, newsletter.id)]
        lines = snippet(newsletter, configured.base_url, integrity=integrity)
    answer = {"language": tag, "title": says.title, "text": says.text, "sites": sites, "snippet": lines}
    notes = [f"The box says ({tag}):", f"  {says.title}", *([f"  {says.text}"] if says.text else [])]
    if not has_words:
        publish = f"newsletter newsletters wording {slug} --language {tag}"
        notes.append(f"It is not shown in “{tag}” before words of consent are published: {publish}")
    if not sites:
        notes.append(f"No site may show it yet: newsletter sites add {slug} https://www.example.org")
    notes += ["Put these lines where your page shall show it:", "", lines]
    console.show(answer, as_json=as_json, text="\n".join(notes))
