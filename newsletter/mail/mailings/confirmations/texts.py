"""The text of confirmation letters: laid out once for each offer, and stored once."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from jinja2 import Environment
from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from newsletter.consent.wordings import Wording
from newsletter.content.digests import digests
from newsletter.mail.letters import letters
from newsletter.mail.letters.composing import compose
from newsletter.mail.letters.letters import LetterKind
from newsletter.mail.letters.merge import Sheet
from newsletter.newsletters import Newsletter

NewsletterValues = tuple[Any, ...]  # the columns of a newsletter
Offers = tuple[tuple[str, str | None], ...]  # the newsletters asked for: name and schedule

NEWSLETTER_COLUMNS = list(Newsletter.__table__.columns)


class Offer(NamedTuple):
    """What determines a letter's text: the newsletters asked for, and the wording that the visitor saw."""

    newsletters: tuple[int, ...]
    wording: int


class Text(NamedTuple):
    """The stored text of a letter."""

    variant_id: int
    sha256: str
    zone: str  # of the first newsletter; the letter's times are in it


def read_newsletters(session: Session, ids: Iterable[int]) -> dict[int, Row[Any]]:
    """Return the columns of those of these newsletters that exist."""
    rows = session.execute(select(*NEWSLETTER_COLUMNS).where(Newsletter.id.in_(set(ids))))
    return {row.id: row for row in rows}


def store(
    session: Session,
    offers: Iterable[Offer],
    newsletters: Mapping[int, Row[Any]],
    *,
    templates: Environment,
    base_url: str,
    now: datetime,
) -> dict[Offer, Text]:
    """Return the text of the letter to each of these offers, stored if it is new."""
    wanted = set(offers)
    schedules = digests.schedules(session, {number for offer in wanted for number in offer.newsletters})
    wordings = _wordings(session, {offer.wording for offer in wanted})
    sheets: dict[Offer, tuple[Sheet, str]] = {}
    for offer in wanted:
        first = newsletters[offer.newsletters[0]]
        offered = tuple((newsletters[number].name, schedules.get(number)) for number in offer.newsletters)
        sheets[offer] = lay_out(templates, base_url, tuple(first), offered, wordings[offer.wording]), first.language
    variants = letters.shared_variants(session, LetterKind.CONFIRMATION, sheets.values(), now=now)
    return {
        offer: Text(variants[sheet.sha256, language], sheet.sha256, newsletters[offer.newsletters[0]].zone)
        for offer, (sheet, language) in sheets.items()
    }


def _wordings(session: Session, ids: set[int]) -> dict[int, tuple[str, str]]:
    rows = session.execute(select(Wording.id, Wording.text, Wording.language).where(Wording.id.in_(ids)))
    return {row[0]: (row[1], row[2]) for row in rows}


@lru_cache(maxsize=64)
def lay_out(
    templates: Environment, base_url: str, newsletter_values: NewsletterValues, offers: Offers, wording: tuple[str, str]
) -> Sheet:
    """Return the letter. It holds nothing that the visitor typed, because the inbox may be a stranger's.

    Cached by its arguments, which determine the letter: laying it out takes longer than the rest of a sign-up's work.
    """
    values = dict(zip((column.key for column in NEWSLETTER_COLUMNS), newsletter_values, strict=True))
    values.pop("id")
    first, (text, language) = Newsletter(**values), wording
    return compose(
        templates,
        "confirmation",
        newsletter=first,
        base_url=base_url,
        stream="confirmation",
        fields=("confirm", "never", "requested_at", "expires_at"),
        newsletters=[{"name": name, "schedule": schedule} for name, schedule in offers],
        wording={"text": text, "language": language},
        signup_url=f"{base_url}/n/{first.slug}",
    )
