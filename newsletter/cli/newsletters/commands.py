"""newsletter newsletters: add and list newsletters, change them, publish consent wordings."""

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from newsletter import audit_log, clock, newsletter_fields, newsletters, templating
from newsletter.cli import console
from newsletter.cli.newsletters import box, change_report, leaving, logo_files, wordings
from newsletter.consent.subscribers import subscribers
from newsletter.consent.wordings import proposed_words, wording_publication

app = typer.Typer(help="Newsletters and their consent wordings.", no_args_is_help=True, rich_markup_mode=None)
app.command("wording")(wordings.publish)
app.command("proposal")(wordings.propose)
app.command("box")(box.box)
app.command("reasons")(leaving.reasons)

BOUNCES = "Domain that receives bounces, such as bounces.example.org"
OTHERS = "Further languages that it offers, such as de,ar"

OtherLanguages = Annotated[
    str | None, typer.Option(help=f"{OTHERS}; each needs words: newsletter newsletters wording.")
]
SITE = "Address of the publisher's own site, which every page links"
SIGNUP_THANKS = "Page of the publisher's own that visitors are led to after signing up"
CONFIRMED_THANKS = "Page of the publisher's own that readers are led to after confirming"

WELCOME = "--welcome/--no-welcome"
WELCOME_HELP = "Send a welcome letter after each confirmation; by default none is sent."
WELCOME_ISSUE = "--welcome-issue/--no-welcome-issue"
WELCOME_ISSUE_HELP = "Put the newest issue into the welcome letter."
SenderName = Annotated[str | None, typer.Option(help="Name beside the sender's address; by default the publisher.")]


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
    other_languages: OtherLanguages = None,
    zone: Annotated[str, typer.Option(help="Time zone for dates, such as Europe/Berlin.")] = "UTC",
    brand: Annotated[str, typer.Option(help="Color such as #0f5c6e.")] = "#0f5c6e",
    sender_name: SenderName = None,
    logo: Annotated[Path | None, typer.Option(help="Picture file that letters show above their title.")] = None,
    return_path_domain: Annotated[str | None, typer.Option(help=f"{BOUNCES}; by default the sender gets them.")] = None,
    site_url: Annotated[str | None, typer.Option(help=f"{SITE}; by default none.")] = None,
    signup_thanks_url: Annotated[str | None, typer.Option(help=f"{SIGNUP_THANKS}; by default ours.")] = None,
    confirmed_thanks_url: Annotated[str | None, typer.Option(help=f"{CONFIRMED_THANKS}; by default ours.")] = None,
    wording: Annotated[str | None, typer.Option(help="Your own consent text; by default the proposed one.")] = None,
    welcome: Annotated[bool, typer.Option(WELCOME, help=WELCOME_HELP)] = False,
    welcome_issue: Annotated[bool, typer.Option(WELCOME_ISSUE, help=WELCOME_ISSUE_HELP)] = False,
    as_json: console.Json = False,
) -> None:
    """Add a newsletter, and publish its consent wording: the proposed one of its language, or your own."""
    picture = logo_files.read(logo)
    with console.database() as database, database.writing() as session:
        by: dict[str, Any] = {"actor": audit_log.system_user(), "now": clock.now()}
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
            other_languages=_tags(other_languages),
            zone=zone,
            brand=brand,
            sender_name=sender_name,
            logo_sha256=logo_files.store(session, picture),
            return_path_domain=return_path_domain,
            site_url=site_url,
            signup_thanks_url=signup_thanks_url,
            confirmed_thanks_url=confirmed_thanks_url,
            sends_welcome=welcome,
            welcome_has_issue=welcome_issue,
            **by,
        )
        text = wording or proposed_words.consent_text([newsletter], newsletter.language)
        published = text and wording_publication.publish(session, templating.environment, newsletter, text=text, **by)
        missing = wording_publication.missing_languages(session, newsletter)
        answer = {"slug": newsletter.slug, "list_id": newsletter.list_id, "languages_without_words": missing}
        lines = [f"“{newsletter.name}” is added. Its page is /n/{slug}; next: newsletter feeds add"]
        if published:
            lines += [f"Visitors agree to these words ({published.language}):", f"  {published.text}"]
        lines += change_report.missing_lines(newsletter, missing)
    console.show(answer, as_json=as_json, text="\n".join(lines))


@app.command("list")
def listed(as_json: console.Json = False) -> None:
    """List the newsletters with their reader counts."""
    with console.database() as database, database.reading() as session:
        rows = [
            {
                "slug": each.slug,
                "name": each.name,
                "sender": each.sender,
                "languages": each.languages,
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
    spoken = ", ".join(row["languages"])
    return f"{row['slug']:<20} {row['readers']:>8} readers  {row['name']} ({spoken}), from {row['sender']}{bounces}"


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
    other_languages: Annotated[str | None, typer.Option(help=f'{OTHERS}; "" for none.')] = None,
    zone: Annotated[str | None, typer.Option(help="Time zone for dates, such as Europe/Berlin.")] = None,
    brand: Annotated[str | None, typer.Option(help="Color such as #0f5c6e.")] = None,
    sender_name: Annotated[
        str | None, typer.Option(help='Name beside the sender\'s address; "" for the publisher.')
    ] = None,
    logo: Annotated[
        str | None, typer.Option(help='Picture file that letters show above their title; "" for none.')
    ] = None,
    return_path_domain: Annotated[
        str | None, typer.Option(help=f'{BOUNCES}; "" for none: the sender gets them.')
    ] = None,
    site_url: Annotated[str | None, typer.Option(help=f'{SITE}; "" for none.')] = None,
    signup_thanks_url: Annotated[str | None, typer.Option(help=f'{SIGNUP_THANKS}; "" for ours.')] = None,
    confirmed_thanks_url: Annotated[str | None, typer.Option(help=f'{CONFIRMED_THANKS}; "" for ours.')] = None,
    welcome: Annotated[bool | None, typer.Option(WELCOME, help=WELCOME_HELP)] = None,
    welcome_issue: Annotated[bool | None, typer.Option(WELCOME_ISSUE, help=WELCOME_ISSUE_HELP)] = None,
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
        "other_languages": None if other_languages is None else _tags(other_languages),
        "zone": zone,
        "brand": brand,
        "sender_name": sender_name,
        "return_path_domain": return_path_domain,
        "site_url": site_url,
        "signup_thanks_url": signup_thanks_url,
        "confirmed_thanks_url": confirmed_thanks_url,
        "sends_welcome": welcome,
        "welcome_has_issue": welcome_issue,
    }
    changes: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
    if not changes and logo is None:
        raise typer.BadParameter("say what to change", param_hint="--name, --publisher, --sender or another field")
    picture = logo_files.read(Path(logo) if logo else None)
    with console.database() as database, database.writing() as session:
        newsletter = newsletters.named(session, slug)
        if logo is not None:
            changes["logo_sha256"] = logo_files.store(session, picture)
        done = wording_publication.change_newsletter(
            session,
            templating.environment,
            newsletter,
            actor=audit_log.system_user(),
            now=clock.now(),
            **cast("newsletter_fields.NewsletterFields", changes),
        )
        missing = wording_publication.missing_languages(session, newsletter)
        answer = change_report.as_json(newsletter, done, changes, missing)
        lines = [*change_report.lines(newsletter, done, changes, missing)]
    console.show(answer, as_json=as_json, text="\n".join(lines))


def _tags(listed: str | None) -> list[str]:
    return [tag.strip() for tag in (listed or "").split(",") if tag.strip()]
