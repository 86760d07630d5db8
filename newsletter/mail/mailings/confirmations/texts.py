"""The text of confirmation letters: laid out once for each offer, and stored once."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.consent.wordings.wordings import Wording
from newsletter.content.digests import digests
from newsletter.languages.languages import Language, language
from newsletter.mail.letters import newsletter_columns, totals
from newsletter.mail.letters.composing import compose
from newsletter.mail.letters.letters import LetterKind
from newsletter.mail.letters.merge import Sheet
from newsletter.mail.letters.newsletter_columns import NewsletterColumns
from newsletter.newsletters import Newsletter
from newsletter.templating import Templates

Offers = tuple[tuple[str, str, str | None], ...]  # the newsletters asked for: name, language and schedule


class Offer(NamedTuple):
    """What determines a letter's text: what was asked for, the wording that was shown, the language and the site."""

    newsletters: tuple[int, ...]
    wording: int
    language: str | None  # the visitor's; None: that of the wording
    site: str | None  # the origin of the registered site that showed the form; None: a page of ours, as far as we know
    by_button: bool = False  # asked for without entering the address, by a button behind a link that it got


class Text(NamedTuple):
    """The stored text of a letter."""

    variant_id: int
    sha256: str
    zone: str  # of the first newsletter; the letter's times are in it
    language: Language


def read_newsletters(session: Session, ids: Iterable[int]) -> dict[int, Newsletter]:
    """Return those of these newsletters that exist, by id."""
    return {each.id: each for each in session.scalars(select(Newsletter).where(Newsletter.id.in_(set(ids))))}


def store(
    session: Session,
    offers: Iterable[Offer],
    newsletters: Mapping[int, Newsletter],
    *,
    templates: Templates,
    base_url: str,
    now: datetime,
) -> dict[Offer, Text]:
    """Return the text of the letter to each of these offers, stored if it is new."""
    wanted = set(offers)
    schedules = digests.schedules(session, {number for offer in wanted for number in offer.newsletters})
    wordings = _wordings(session, {offer.wording for offer in wanted})
    sheets: dict[Offer, tuple[Sheet, Language]] = {}
    for offer in wanted:
        asked = [newsletters[number] for number in offer.newsletters]
        offered = tuple((each.name, each.language, schedules.get(each.id)) for each in asked)
        wording, tag = wordings[offer.wording]
        spoken = language(offer.language or tag)
        columns = newsletter_columns.columns_of(asked[0])
        sheets[offer] = (
            lay_out(templates, spoken, base_url, columns, offered, wording, _entered_on(offer, asked[0], base_url)),
            spoken,
        )
    tagged = [(sheet, spoken.tag) for sheet, spoken in sheets.values()]
    variants = totals.shared_variants(session, LetterKind.CONFIRMATION, tagged, now=now)
    return {
        offer: Text(variants[sheet.sha256, spoken.tag], sheet.sha256, newsletters[offer.newsletters[0]].zone, spoken)
        for offer, (sheet, spoken) in sheets.items()
    }


def _wordings(session: Session, ids: set[int]) -> dict[int, tuple[tuple[str, str], str]]:
    """Return the texts with the language that each is in, and the language that it was published for."""
    rows = session.scalars(select(Wording).where(Wording.id.in_(ids)))
    return {row.id: ((row.text, row.shown_language), row.language) for row in rows}


def _entered_on(offer: Offer, newsletter: Newsletter, base_url: str) -> str | None:
    """Return the page on which the address was entered; None if it was entered nowhere."""
    return None if offer.by_button else offer.site or f"{base_url}/n/{newsletter.slug}"


@lru_cache(maxsize=64)
def lay_out(
    templates: Templates,
    spoken: Language,
    base_url: str,
    newsletter: NewsletterColumns,
    offers: Offers,
    wording: tuple[str, str],
    entered_on: str | None,
) -> Sheet:
    """Return the letter. It holds nothing that the visitor typed, because the inbox may be a stranger's.

    Cached by its arguments, which determine the letter: laying it out takes longer than the rest of a sign-up's work.
    """
    first, (text, tag) = newsletter_columns.newsletter_of(newsletter), wording
    return compose(
        templates,
        "confirmation",
        language=spoken,
        newsletter=first,
        base_url=base_url,
        stream="confirmation",
        fields=("confirm", "never", "requested_at", "expires_at"),
        newsletters=[{"name": name, "language": of, "schedule": schedule} for name, of, schedule in offers],
        wording={"text": text, "language": tag},
        entered_on=entered_on,
    )
