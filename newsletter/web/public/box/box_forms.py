"""The sign-up box on the publisher's page: its script, and the form that it shows, which programs read as well."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from newsletter import origins, plain_text
from newsletter.consent.wordings import shown_words
from newsletter.embed.box_script import box_script
from newsletter.errors import NotFound
from newsletter.languages.languages import language
from newsletter.newsletters import Newsletter
from newsletter.web import cross_site, negotiation
from newsletter.web.guards import route_rules
from newsletter.web.public.box import box_documents
from newsletter.web.public.forms import posting_sites
from newsletter.web.public.forms.posting_sites import NotRegistered
from newsletter.web.public.offered_newsletters import OfferedNames
from newsletter.web.public.static_files import FOREVER
from newsletter.web.site import CurrentSite

# Any page may load the script; only pages of registered sites may read a form (Fetch standard, CORP and CORS).
FOR_ALL_SITES = {"Cross-Origin-Resource-Policy": "cross-origin", "Access-Control-Allow-Origin": "*"}
SCRIPT_SECONDS = 300  # that browsers keep the script; then they ask whether it is still the same
FORM_SECONDS = 60
VARY = "Origin, Accept, Accept-Language"

router = APIRouter()


@router.get("/embed.js")
@route_rules(public=True)
async def embed(site: CurrentSite) -> Response:
    """Serve the box's script to any page."""
    body = box_script(site.settings.base_url).body
    headers = {**FOR_ALL_SITES, "Cache-Control": f"public, max-age={SCRIPT_SECONDS}"}
    return Response(body, media_type="text/javascript", headers=headers)


@router.get("/static/embed.{content_hash}.js")
@route_rules(public=True)
async def embed_of_one_version(content_hash: str, site: CurrentSite) -> Response:
    """Serve one version of the script, which never changes, to a page that names its hash in `integrity`."""
    script = box_script(site.settings.base_url)
    if script.path != f"/static/embed.{content_hash}.js":
        raise NotFound
    return Response(script.body, media_type="text/javascript", headers={**FOR_ALL_SITES, **FOREVER})


@router.get("/n/{slugs}/form")
@route_rules(public=True)
def form(slugs: str, request: Request, site: CurrentSite) -> Response:
    """Serve the form of a newsletter, or of several whose slugs are separated by commas, as JSON.

    A browser that wants a page is led to the hosted form.
    """
    names = named(slugs)
    offered = site.offered.get(names)
    try:
        chosen = [offered.newsletter(slug) for slug in names.slugs]
    except NotFound as error:
        return _refused(404, {"errors": {"newsletter": language(_tag(request, [])).text(error.told)}})
    if "text/html" in request.headers.get("accept", ""):
        tag = _tag(request, negotiation.offered_in_any(chosen))
        return RedirectResponse(
            box_documents.page(chosen, site.root) + negotiation.kept(request, tag), 302, {"Vary": VARY}
        )
    try:
        posting_sites.admit(request, site, offered, chosen)
    except NotRegistered:
        told = _unregistered(str(cross_site.origin_stated(request)), chosen)
        return _refused(403, {"error": told, "page": box_documents.page(chosen, site.settings.base_url)})
    with_words = box_documents.published(offered, chosen)
    if not with_words:
        return _refused(404, {"errors": {"wording": _without_words(chosen)}})
    shown = with_words[_tag(request, list(with_words))]
    headers = {
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Vary": VARY,
        "Cache-Control": f"public, max-age={FORM_SECONDS}",
        "Content-Language": shown.wording.language,
    }
    return Response(
        box_documents.document(site, offered, list(with_words), shown), media_type="application/json", headers=headers
    )


def named(slugs: str) -> OfferedNames:
    """Return the newsletters that the address of a form names, each once: as many as an address holds."""
    return OfferedNames(tuple(dict.fromkeys(slugs.split(","))))


def _tag(request: Request, offered: Sequence[str]) -> str:
    return negotiation.language_of(request, offered)


def _refused(status: int, content: dict[str, Any]) -> JSONResponse:
    """Refuse, so that any site's script can read why: it tells the publisher in the browser's console."""
    return JSONResponse(content, status, {**FOR_ALL_SITES, "Vary": VARY})


def _unregistered(origin: str, chosen: Sequence[Newsletter]) -> str:
    """Return what a publisher reads in the console. Like all that operators read, it is English."""
    if not shown_words.have_one_publisher(chosen):
        return _not_together(chosen)
    if origins.parse(origin) is None:  # no site can be registered by it, and no command may contain what it says
        return f"“{plain_text.shown(origin)}” is not the origin of a site, so its page shows no box."
    commands = "; ".join(f"newsletter sites add {newsletter.slug} {origin}" for newsletter in chosen)
    return f"The site {origin} is not registered, so its page shows no box. On the server: {commands}"


def _without_words(chosen: Sequence[Newsletter]) -> str:
    if not shown_words.have_one_publisher(chosen):
        return _not_together(chosen)
    publish = shown_words.publishing_command(chosen)
    return f"No words of consent are published, so there is no box. On the server: {publish}"


def _not_together(chosen: Sequence[Newsletter]) -> str:
    slugs = ", ".join(newsletter.slug for newsletter in chosen)
    return f"No box can offer {slugs} together. {shown_words.DIFFERENT}"
