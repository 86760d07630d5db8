"""The sign-up box on the publisher's page: its script, and the form that it shows, which programs read as well."""

import json
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from newsletter.consent import box_texts, reader_counts
from newsletter.consent.limits.form_signs import TRAP_FIELD
from newsletter.errors import NotFound
from newsletter.languages.languages import Language, language
from newsletter.languages.translatable import translatable
from newsletter.newsletters import Newsletter
from newsletter.web import cross_site, negotiation
from newsletter.web.embed.box_script import box_script
from newsletter.web.guards import route_rules
from newsletter.web.public import form_times, posted_signs
from newsletter.web.public.offered_newsletters import OfferedNames, OfferedNewsletters, PublishedForm
from newsletter.web.public.static_files import FOREVER
from newsletter.web.site import CurrentSite, Site

# Any page may load the script; only pages of registered sites may read a form (Fetch standard, CORP and CORS).
FOR_ALL_SITES = {"Cross-Origin-Resource-Policy": "cross-origin", "Access-Control-Allow-Origin": "*"}
SCRIPT_SECONDS = 300  # that browsers keep the script; then they ask whether it is still the same
FORM_SECONDS = 60
VARY = "Origin, Accept, Accept-Language"
MAX_SLUGS = 20  # in one address

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
    named = list(dict.fromkeys(slugs.split(",")))[:MAX_SLUGS]
    offered = site.offered.get(OfferedNames(tuple(named)))
    try:
        chosen = [offered.newsletter(slug) for slug in named]
    except NotFound as error:
        return _refused(404, {"errors": {"newsletter": language(_tag(request, [])).text(error.told)}})
    if "text/html" in request.headers.get("accept", ""):
        tag = _tag(request, negotiation.offered_in_any(chosen))
        return RedirectResponse(_page(chosen, site.root) + negotiation.kept(request, tag), 302, {"Vary": VARY})
    cross_site.share(request, offered, chosen)
    origin = cross_site.origin_stated(request)
    may_show = (
        origin is None or cross_site.is_own(request, origin, site) or cross_site.is_registered(origin, offered, chosen)
    )
    if not may_show:
        page = _page(chosen, site.settings.base_url)
        return _refused(403, {"error": _unregistered(str(origin), chosen), "page": page})
    with_words = _published(offered, chosen)
    if not with_words:
        return _refused(404, {"errors": {"wording": _without_words(chosen)}})
    shown = with_words[_tag(request, list(with_words))]
    headers = {
        "Vary": VARY,
        "Cache-Control": f"public, max-age={FORM_SECONDS}",
        "Content-Language": shown.wording.language,
    }
    return Response(_answer(site, offered, chosen, with_words, shown), media_type="application/json", headers=headers)


def _tag(request: Request, offered: Sequence[str]) -> str:
    return negotiation.language_of(request, offered)


def _published(offered: OfferedNewsletters, chosen: Sequence[Newsletter]) -> dict[str, PublishedForm]:
    """Return the published words about exactly these newsletters by language, the main one first."""
    if len(chosen) == 1:
        found = ((tag, offered.current(chosen[0], tag)) for tag in offered.languages(chosen[0]))
        return {tag: each for tag, each in found if each}
    ids = {newsletter.id for newsletter in chosen}
    return {tag: each for tag, each in offered.several().items() if set(each.form.newsletters) == ids}


def _answer(
    site: Site,
    offered: OfferedNewsletters,
    chosen: Sequence[Newsletter],
    with_words: dict[str, PublishedForm],
    shown: PublishedForm,
) -> bytes:
    """Return the JSON, which is the same for everybody: it is written once for each reading of the newsletters."""
    key = tuple(newsletter.id for newsletter in chosen), shown.wording.language
    if key not in offered.boxes:
        offered.boxes[key] = json.dumps(
            _box(site, offered, chosen, list(with_words), shown), ensure_ascii=False
        ).encode()
    return offered.boxes[key]


def _box(
    site: Site,
    offered: OfferedNewsletters,
    chosen: Sequence[Newsletter],
    languages: list[str],
    shown: PublishedForm,
) -> dict[str, Any]:
    wording, spoken, ids = shown.wording, language(shown.wording.language), shown.form.newsletters
    by_id = {newsletter.id: newsletter for newsletter in offered.newsletters.values()}
    among = [by_id[number] for number in ids]
    with site.database.reading() as session:
        kept = box_texts.current_form(session, site.templates, wording, among)
        title = box_texts.above(session, wording, among).title
        readers = reader_counts.rounded_down(reader_counts.counted(session, ids, now=site.now()))
    if kept is None:
        raise NotFound
    form, html = kept
    shown_readers = spoken.at_least(readers) if readers else None
    slug = {} if len(ids) > 1 else {"newsletters": among[0].slug}
    return {
        "newsletter": ",".join(newsletter.slug for newsletter in chosen),
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
        "page": _page(among, site.settings.base_url, wording.language if len(languages) > 1 else None),
    }


def _signs(site: Site) -> dict[str, str]:
    """Return the fields that tell people from programs. They choose only the lane of a sign-up (`form_signs`)."""
    return {TRAP_FIELD: "", posted_signs.SHOWN_AT: form_times.stamp(site.keyring, now=site.now())}


def _words(spoken: Language, readers: str | None) -> dict[str, str]:
    """Return the words that the script shows itself, outside of the exhibit."""
    told = {
        "again": translatable("What you entered is still here. Press the button again, or sign up on our own page."),
        "close": translatable("Close"),
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


def _page(chosen: Sequence[Newsletter], base: str, tag: str | None = None) -> str:
    """Return the address of the hosted form."""
    page = f"{base}/n/{chosen[0].slug}" if len(chosen) == 1 else f"{base}/"
    return negotiation.in_language(page, tag) if tag else page


def _refused(status: int, content: dict[str, Any]) -> JSONResponse:
    """Refuse, so that any site's script can read why: it tells the publisher in the browser's console."""
    return JSONResponse(content, status, {**FOR_ALL_SITES, "Vary": VARY})


def _unregistered(origin: str, chosen: Sequence[Newsletter]) -> str:
    """Return what a publisher reads in the console. Like all that operators read, it is English."""
    commands = "; ".join(f"newsletter sites add {newsletter.slug} {origin}" for newsletter in chosen)
    return f"The site {origin} is not registered, so its page shows no box. On the server: {commands}"


def _without_words(chosen: Sequence[Newsletter]) -> str:
    slugs = " ".join(newsletter.slug for newsletter in chosen)
    publish = "newsletters wording" if len(chosen) == 1 else "forms publish"
    return f"No words of consent are published, so there is no box. On the server: newsletter {publish} {slugs}"
