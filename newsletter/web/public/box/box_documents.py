"""The form in the box on the publisher's page as JSON: the exhibit, what is posted with it, and the script's words."""

import json
from collections.abc import Sequence
from typing import Any

from newsletter.consent.counts import reader_counts
from newsletter.consent.limits.form_signs import TRAP_FIELD
from newsletter.consent.wordings import box_texts
from newsletter.errors import NotFound
from newsletter.languages.languages import Language, language
from newsletter.languages.translatable import translatable
from newsletter.newsletters import Newsletter
from newsletter.web import negotiation
from newsletter.web.public.forms import form_times, posted_signs
from newsletter.web.public.offered_newsletters import OfferedNewsletters, PublishedForm
from newsletter.web.site import Site


def published(offered: OfferedNewsletters, chosen: Sequence[Newsletter]) -> dict[str, PublishedForm]:
    """Return the published words about exactly these newsletters by language, the main one first."""
    if len(chosen) == 1:
        found = ((tag, offered.current(chosen[0], tag)) for tag in offered.languages(chosen[0]))
        return {tag: each for tag, each in found if each}
    return offered.of_exactly(chosen)


def document(
    site: Site,
    offered: OfferedNewsletters,
    languages: list[str],
    shown: PublishedForm,
) -> bytes:
    """Return the JSON, which is the same for everybody: it is written once for each reading of the newsletters."""
    key = tuple(shown.form.newsletters), shown.wording.language
    if key not in offered.boxes:
        offered.boxes[key] = json.dumps(box(site, offered, languages, shown), ensure_ascii=False).encode()
    return offered.boxes[key]


def box(site: Site, offered: OfferedNewsletters, languages: list[str], shown: PublishedForm) -> dict[str, Any]:
    """Return what the JSON holds, read from the database. Raises NotFound if no form of a box is kept."""
    wording, spoken, ids = shown.wording, language(shown.wording.language), shown.form.newsletters
    by_id = {newsletter.id: newsletter for newsletter in offered.newsletters.values()}
    among = [by_id[number] for number in ids]
    with site.database.reading() as session:
        kept = box_texts.current_form(session, site.templates, wording, among)
        title = box_texts.of(session, among, wording.language).title
        readers = reader_counts.rounded_down(reader_counts.counted(session, ids, now=site.now()))
    if kept is None:
        raise NotFound
    form, html = kept
    shown_readers = spoken.at_least(readers) if readers else None
    slug = {} if len(ids) > 1 else {"newsletters": among[0].slug}
    return {
        "newsletter": ",".join(newsletter.slug for newsletter in among),
        "languages": languages,
        "language": wording.language,
        "direction": spoken.direction,
        "wording": {"id": wording.id, "text": wording.text},
        "form": {"id": form.id, "exhibit": form.exhibit},
        "title": title,
        "html": html,
        "fields": {**slug, "wording": wording.id, "form": form.id, "exhibit": form.exhibit, **_signs(site)},
        "readers": shown_readers,
        "words": _words(spoken, shown_readers),
        "brand": among[0].brand,
        "challenge": offered.is_under_attack,
        "page": page(among, site.settings.base_url, wording.language if len(languages) > 1 else None),
    }


def _signs(site: Site) -> dict[str, str]:
    """Return the fields that tell people from programs. They choose only the lane of a sign-up (`form_signs`)."""
    return {TRAP_FIELD: "", posted_signs.SHOWN_AT: form_times.stamp(site.keyring, now=site.now())}


def _words(spoken: Language, readers: str | None) -> dict[str, str]:
    """Return the words that the script shows itself, outside of the exhibit."""
    told = {
        "again": translatable("What you entered is still here. Press the button again, or sign up on our own page."),
        "close": translatable("Close"),
        "correct": translatable("Enter it again"),
        "elsewhere": translatable(
            "Very many people are signing up just now. On our own page it works for you as well."
        ),
        "mistyped": translatable("Did you mean this address? Press it, and subscribe again."),
        "open": translatable("Subscribe"),
        "page": translatable("Open the sign-up page"),
        "sending": translatable("Sending …"),
        "unreachable": translatable("We could not reach our newsletter service."),
    }
    count = {"count": translatable("Join %(readers)s readers", readers=readers)} if readers else {}
    return {name: spoken.text(text) for name, text in {**told, **count}.items()}


def page(chosen: Sequence[Newsletter], base: str, tag: str | None = None) -> str:
    """Return the address of the hosted form."""
    page = f"{base}/n/{chosen[0].slug}" if len(chosen) == 1 else f"{base}/"
    return negotiation.in_language(page, tag) if tag else page
