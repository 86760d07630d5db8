"""The page of an expired confirmation link: one press asks for a new letter, without typing the address again.

It shows today's words of consent, and nothing about the person: not the address, and not what became of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from newsletter.consent.evidence_terms import EvidenceField
from newsletter.consent.ledger.ledger import Trace
from newsletter.consent.link_lifetime import LINK_HOURS
from newsletter.consent.signups import renewals, returning
from newsletter.consent.signups.renewals import FormerSignup
from newsletter.consent.signups.returning import EXPIRED_LINK
from newsletter.consent.wordings.shown_words import newsletter_ids
from newsletter.content.digests import digests
from newsletter.errors import LinkExpired
from newsletter.languages import tags
from newsletter.languages.languages import language
from newsletter.links import ReadToken
from newsletter.newsletters import Newsletter
from newsletter.web import whole_numbers
from newsletter.web.form_data import FormData, first_value
from newsletter.web.public.letter_links.left_page import CHANGED_WORDS
from newsletter.web.public.offered_newsletters import OfferedNewsletters, PublishedForm
from newsletter.web.site import Site


@dataclass(frozen=True)
class Renewal:
    """What an expired link asks for again: of its newsletters those that take sign-ups, by id, and their words."""

    former: FormerSignup
    newsletters: Sequence[Newsletter]
    published: PublishedForm
    language: str  # a tag, of the person's letters and pages


def carried(site: Site, link: ReadToken) -> Renewal | None:
    """Return what a link carries of a sign-up that was deleted; None if nobody can renew it."""
    former = renewals.read(site.keyring, link)
    return of(site, former) if former else None


def of(site: Site, former: FormerSignup) -> Renewal | None:
    """Return what a former sign-up asks for again; None if nobody can sign up for it any more."""
    offered = site.offered.get()
    asked = (each for each in offered.newsletters.values() if each.id in former.newsletters)
    newsletters = sorted((each for each in asked if offered.languages(each)), key=lambda each: each.id)
    if not newsletters:
        return None
    tag = former.language or newsletters[0].language
    published = _published(offered, newsletters, tag)
    return Renewal(former, newsletters, published, tag) if published and published.wording.information else None


def _published(offered: OfferedNewsletters, newsletters: Sequence[Newsletter], tag: str) -> PublishedForm | None:
    """Return the words that ask for all of these newsletters, in the language that suits this one best."""
    if len(newsletters) == 1:
        return offered.current(newsletters[0], tag)
    ids = {each.id for each in newsletters}
    covering = {spoken: each for spoken, each in offered.several().items() if ids <= set(each.form.newsletters)}
    found = offered.of_exactly(newsletters) or covering
    suiting = tags.lookup([tag], list(found)) or next(iter(found), None)
    return found[suiting] if suiting else None


def show(site: Site, session: Session, renewal: Renewal | None, *, changed: bool = False) -> HTMLResponse:
    """Say that the link has expired, and show what one press asks for. Raises LinkExpired if it asks for nothing."""
    if renewal is None:
        raise LinkExpired
    wording, first = renewal.published.wording, renewal.newsletters[0]
    words = returning.rendered(site.templates, wording, EXPIRED_LINK)
    context: dict[str, Any] = {
        "newsletters": _rows(session, renewal.newsletters),
        "ids": ",".join(str(each.id) for each in renewal.newsletters),
        "wording": wording.id,
        "exhibit": returning.exhibit_of(words),
        "words": words,
        "hours": LINK_HOURS,
    }
    errors = {"words": language(renewal.language).text(CHANGED_WORDS)} if changed else {}
    status = 422 if changed else 410
    return site.page(
        "link_expired", tag=renewal.language, newsletter=first, status=status, renewal=context, errors=errors
    )


def _rows(session: Session, newsletters: Sequence[Newsletter]) -> list[dict[str, Any]]:
    schedules = digests.schedules(session, [each.id for each in newsletters])
    return [
        {"slug": each.slug, "name": each.name, "language": each.language, "schedule": schedules.get(each.id)}
        for each in newsletters
    ]


def renew(site: Site, session: Session, renewal: Renewal, form: FormData, trace: Trace) -> HTMLResponse | None:
    """Take the sign-up, and say what comes next; None if the form does not name the words as a page showed them.

    A form that was left open counts with its own version of the words. The answer is the same for everybody.
    """
    number, exhibit = whole_numbers.parse(first_value(form, "wording")), first_value(form, "exhibit")
    shown = returning.shown(session, site.templates, EXPIRED_LINK, number=number, exhibit=exhibit)
    named = set(first_value(form, "newsletters").split(","))
    asked = [each for each in renewal.newsletters if str(each.id) in named]
    if shown is None or not asked:
        return None
    wording, words = shown
    if not {each.id for each in asked} <= set(newsletter_ids(wording)):
        return None
    former = renewal.former
    received_at = former.received_at.isoformat(timespec="seconds")
    returning.ask(
        session,
        site.keyring,
        EXPIRED_LINK,
        address=former.address,
        newsletters=[each.id for each in asked],
        wording=wording,
        words=words,
        language=renewal.language,
        trace=trace,
        now=site.now(),
        evidence={**former.entered, EvidenceField.FIRST_RECEIVED_AT: received_at},
    )
    first, outbox = asked[0], site.shows_outbox
    return site.page(
        "returning", tag=renewal.language, newsletter=first, status=202, sender=first.sender, outbox=outbox
    )
