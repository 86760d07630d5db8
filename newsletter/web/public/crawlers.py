"""What search engines ask for: robots.txt, and the sitemap of every page meant to be found."""

from xml.etree import ElementTree as ET

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from sqlalchemy import select

from newsletter import newsletters
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.legal_pages.page_texts import LegalPage
from newsletter.web.guards import route_rules
from newsletter.web.site import CurrentSite, ReadingSession

# Pages that only a link in a letter opens, and those of machines. Every one says noindex, too: a link may be elsewhere.
HIDDEN = (
    *("/confirm/", "/never/", "/u/", "/preferences/", "/my-data/", "/address/", "/subscribe", "/saved"),
    *("/link", "/challenge", "/outbox", "/health/", "/metrics"),
)
# Crawlers ask a host for one robots.txt, at its root (RFC 9309 section 2.3). Under a path, nobody asks for ours.
ONLY_AT_THE_ROOT = "# Crawlers read only {origin}/robots.txt. Add these lines there.\n"
NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
MAX_ISSUES = 10_000  # the newest; a sitemap has at most 50,000 URLs

router = APIRouter()


@router.get("/robots.txt")
@route_rules(public=True)
def robots(site: CurrentSite) -> PlainTextResponse:
    """Allow the archive and the sign-up pages (RFC 9309). Under a path, say where crawlers read these lines."""
    note = ONLY_AT_THE_ROOT.format(origin=site.settings.site_origin) if site.root else ""
    disallowed = "".join(f"Disallow: {site.root}{path}\n" for path in HIDDEN)
    return PlainTextResponse(f"{note}User-agent: *\n{disallowed}\nSitemap: {site.settings.base_url}/sitemap.xml\n")


@router.get("/sitemap.xml")
@route_rules(public=True)
def sitemap(site: CurrentSite, session: ReadingSession) -> Response:
    """List the sign-up pages, the legal pages, the archive's pages and its issues."""
    slugs = {newsletter.id: newsletter.slug for newsletter in newsletters.every(session)}
    sent = (
        select(Issue.newsletter_id, Issue.number, Issue.sent_at)
        .where(Issue.status == IssueStatus.SENT)
        .order_by(Issue.id.desc())
        .limit(MAX_ISSUES)
    )
    root = ET.Element("urlset", xmlns=NAMESPACE)
    pages = [("/", None), ("/archive", None)]
    pages += [(f"{path}/{slug}", None) for slug in slugs.values() for path in ("/n", "/archive")]
    pages += [(f"/n/{slug}/{page}", None) for slug in slugs.values() for page in LegalPage]
    pages += [(f"/archive/{slugs[row.newsletter_id]}/{row.number}", row.sent_at) for row in session.execute(sent)]
    for path, changed_at in pages:
        entry = ET.SubElement(root, "url")
        ET.SubElement(entry, "loc").text = f"{site.settings.base_url}{path}"
        if changed_at:
            ET.SubElement(entry, "lastmod").text = changed_at.isoformat(timespec="seconds")
    return Response(ET.tostring(root, encoding="utf-8", xml_declaration=True), media_type="application/xml")
