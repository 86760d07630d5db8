"""Say from which site a sign-up was posted, and refuse one from a site that is not registered."""

from collections.abc import Sequence

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from newsletter.consent import evidence_terms
from newsletter.consent.evidence_terms import EvidenceField, EvidenceTerm
from newsletter.errors import Refused
from newsletter.languages.languages import language
from newsletter.languages.translatable import translatable
from newsletter.newsletters import Newsletter
from newsletter.web import cross_site, negotiation
from newsletter.web.failures import wants_json
from newsletter.web.public.offered_newsletters import OfferedNewsletters
from newsletter.web.site import Site

TITLE = translatable("This form does not work on the site where you found it")
EXPLANATION = translatable(
    "The site that showed you this form is not registered for this newsletter, so we stored nothing. Please subscribe "
    "on the newsletter's own page."
)


class NotRegistered(Refused):
    """A sign-up was posted from a site that is not registered for the newsletters that it names."""

    default = EXPLANATION


def admit(request: Request, site: Site, offered: OfferedNewsletters, chosen: Sequence[Newsletter]) -> str:
    """Return, as evidence, from which site a sign-up for these newsletters comes; let that site read the answer.

    It is the origin of a registered site, SITE_NOT_STATED, or OWN_SITE, with the host under which we were reached if
    BASE_URL has another: whoever leads a host of theirs to our machine can show forms of theirs under it. Raises
    NotRegistered for any other. Without newsletters, which the sign-up has to name, any registered site may read what
    is wrong with it.
    """
    cross_site.share(request, offered, chosen)
    origin = cross_site.origin_stated(request)
    if origin is None:
        return EvidenceTerm.SITE_NOT_STATED
    if cross_site.is_own(request, origin, site):
        has_our_name = cross_site.has_our_name(origin, site)
        return EvidenceTerm.OWN_SITE if has_our_name else EvidenceTerm.OWN_SITE_REACHED_AS.followed_by(origin)
    if cross_site.is_registered(origin, offered, chosen):
        return origin
    raise NotRegistered


def refusal(request: Request, site: Site, chosen: Sequence[Newsletter], tag: str) -> Response:
    """Answer 403 with the way to the newsletter's own page; the answer says nothing about the address."""
    only = chosen[0] if len(chosen) == 1 else None
    if wants_json(request):
        spoken = language(tag)
        path = negotiation.in_language(f"/n/{only.slug}" if only else "/", tag)
        told = {"error": spoken.text(EXPLANATION), "page": f"{site.settings.base_url}{path}"}
        return JSONResponse(told, 403, {"Content-Language": spoken.tag})
    return site.page("refused", tag=tag, status=403, newsletter=only, title=TITLE, explanation=EXPLANATION, remedy=None)


def way_back(posted_from: str, chosen: Sequence[Newsletter]) -> str | None:
    """Return the address that leads back to the registered site from which somebody signed up; None if it is none.

    It is the publisher's own address of that site, if a newsletter names one there, otherwise the site's start page.
    """
    if evidence_terms.worded(EvidenceField.SITE, posted_from):
        return None
    named = (each.site_url for each in chosen if each.site_url)
    return next((url for url in named if cross_site.is_on(url, posted_from)), f"{posted_from}/")
