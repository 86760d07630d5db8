"""newsletter newsletters: add and list newsletters, change them, publish consent wordings."""

from collections.abc import Iterator
from typing import Annotated, Any, cast

import typer

from newsletter import audit_log, clock, newsletters, templating
from newsletter.cli import console
from newsletter.consent import subscribers, wording_publication, wordings
from newsletter.consent.wording_publication import NewsletterChange
from newsletter.newsletters import Newsletter

app = typer.Typer(help="Newsletters and their consent wordings.", no_args_is_help=True, rich_markup_mode=None)

BOUNCES = "Domain that receives bounces, such as bounces.example.org"


@app.command()
def add(
    slug: Annotated[str, typer.Argument(help="Its name in web addresses: a to z, 0 to 9 and -.")],
    name: Annotated[str, typer.Option(help="Its name, as readers see it.")],
    publisher: Annotated[str, typer.Option(help="The person or organization responsible for it.")],
    sender: Annotated[str, typer.Option(help="The address that letters come from.")],
    postal_address: Annotated[str, typer.Option(help="Street and town: the law asks for it in every letter.")],
    description: Annotated[str, typer.Option(help="One or two sentences for the sign-up page.")] = "",
    reply_to: Annotated[str | None, typer.Option(help="Address for replies; by default the sender.")] = None,
    language: Annotated[str, typer.Option(help="Language of the letters, such as en or de.")] = "en",
    zone: Annotated[str, typer.Option(help="Time zone for dates, such as Europe/Berlin.")] = "UTC",
    brand: Annotated[str, typer.Option(help="Color such as #0f5c6e.")] = "#0f5c6e",
    return_path_domain: Annotated[str | None, typer.Option(help=f"{BOUNCES}; by default the sender gets them.")] = None,
    wording: Annotated[str | None, typer.Option(help="Your own consent text; by default the built-in one.")] = None,
    as_json: console.Json = False,
) -> None:
    """Add a newsletter and publish its consent wording."""
    with console.database() as database, database.writing() as session:
        newsletter = newsletters.add(
            session,
            slug=slug,
            name=name,
            publisher=publisher,
            sender=sender,
            postal_address=postal_address,
            description=description,
            reply_to=reply_to,
            language=language,
            zone=zone,
            brand=brand,
            return_path_domain=return_path_domain,
            actor=audit_log.system_user(),
            now=clock.now(),
        )
        text = wording or wordings.default_text(newsletter)
        pages, now = templating.environment(), clock.now()
        wording_publication.publish(session, pages, newsletter, text=text, actor=audit_log.system_user(), now=now)
        answer = {"slug": newsletter.slug, "list_id": newsletter.list_id}
    console.show(answer, as_json=as_json, text=f"“{name}” is added. Its page is /n/{slug}; next: newsletter feeds add")


@app.command("list")
def listed(as_json: console.Json = False) -> None:
    """List the newsletters with their reader counts."""
    with console.database() as database, database.reading() as session:
        rows = [
            {
                "slug": each.slug,
                "name": each.name,
                "sender": each.sender,
                "return_path_domain": each.return_path_domain,
                "readers": subscribers.count(session, each.id),
            }
            for each in newsletters.every(session)
        ]
    lines = [_line(row) for row in rows]
    console.show(
        rows, as_json=as_json, text="\n".join(lines) or "No newsletters yet. Add one: newsletter newsletters add"
    )


def _line(row: dict[str, Any]) -> str:
    bounces = f", bounces to {row['return_path_domain']}" if row["return_path_domain"] else ""
    return f"{row['slug']:<20} {row['readers']:>8} readers  {row['name']}, from {row['sender']}{bounces}"


@app.command()
def change(
    slug: Annotated[str, typer.Argument(help="The newsletter's slug; neither it nor the List-Id ever changes.")],
    name: Annotated[str | None, typer.Option(help="Its name, as readers see it.")] = None,
    publisher: Annotated[str | None, typer.Option(help="The person or organization responsible for it.")] = None,
    sender: Annotated[str | None, typer.Option(help="The address that letters come from.")] = None,
    reply_to: Annotated[str | None, typer.Option(help='Address for replies; "" for the sender.')] = None,
    postal_address: Annotated[str | None, typer.Option(help="Street and town.")] = None,
    description: Annotated[str | None, typer.Option(help="One or two sentences for the sign-up page.")] = None,
    language: Annotated[str | None, typer.Option(help="Language of the letters, such as en or de.")] = None,
    zone: Annotated[str | None, typer.Option(help="Time zone for dates, such as Europe/Berlin.")] = None,
    brand: Annotated[str | None, typer.Option(help="Color such as #0f5c6e.")] = None,
    return_path_domain: Annotated[
        str | None, typer.Option(help=f'{BOUNCES}; "" for none: the sender gets them.')
    ] = None,
    as_json: console.Json = False,
) -> None:
    """Change what is given. Pages show it within seconds; letters that are written already keep their text."""
    given = {
        "name": name,
        "publisher": publisher,
        "sender": sender,
        "reply_to": reply_to,
        "postal_address": postal_address,
        "description": description,
        "language": language,
        "zone": zone,
        "brand": brand,
        "return_path_domain": return_path_domain,
    }
    changes = cast(
        "newsletters.NewsletterFields", {field: value for field, value in given.items() if value is not None}
    )
    if not changes:
        raise typer.BadParameter("say what to change", param_hint="--name, --publisher, --sender or another field")
    with console.database() as database, database.writing() as session:
        newsletter = newsletters.named(session, slug)
        pages, now = templating.environment(), clock.now()
        change = wording_publication.change_newsletter(
            session, pages, newsletter, actor=audit_log.system_user(), now=now, **changes
        )
        new = {field: getattr(newsletter, field) for field in changes}
        notes = [*_changed_lines(newsletter, change, new)]
    answer = {"slug": slug, **new, "changed": sorted(change.former), "wording_version": change.version}
    console.show({**answer, "still_named_by_wording": change.still_named}, as_json=as_json, text="\n".join(notes))


def _changed_lines(newsletter: Newsletter, change: NewsletterChange, new: dict[str, Any]) -> Iterator[str]:
    """Yield what an operator should know after a change, a line for each fact."""
    if not change.former:
        yield f"“{newsletter.slug}” is like that already."
    for field, old in change.former.items():
        yield f"{field.replace('_', '-')}: {new[field] or 'none'} (before: {old or 'none'})"
    if "return_path_domain" in new:
        domain = newsletter.return_path_domain
        target = (
            f"an address at {domain} for each letter; its MX must be your mail server" if domain else newsletter.sender
        )
        yield f"Bounces go to {target}."
    if "sender" in change.former and newsletter.reply_to == change.former["sender"] and "reply_to" not in new:
        yield f"Replies still go to {newsletter.reply_to}. To change that, too: --reply-to"
    if change.version:
        yield f"Version {change.version} of the consent wording is published with it."
    for field in change.still_named:
        yield (
            f"The consent wording is your own, and still names “{change.former[field]}”. Publish a new one: "
            f"newsletter newsletters wording {newsletter.slug} TEXT"
        )


@app.command()
def wording(
    slug: Annotated[str, typer.Argument(help="The newsletter's slug.")],
    text: Annotated[str, typer.Argument(help="The full consent text; it becomes a new version.")],
    as_json: console.Json = False,
) -> None:
    """Publish a new consent wording. Proofs of earlier consents keep the wording that was shown."""
    with console.database() as database, database.writing() as session:
        newsletter = newsletters.named(session, slug)
        pages, now = templating.environment(), clock.now()
        new = wording_publication.publish(session, pages, newsletter, text=text, actor=audit_log.system_user(), now=now)
        answer = {"wording": new.id, "version": new.version}
    console.show(answer, as_json=as_json, text=f"Version {answer['version']} is published.")
