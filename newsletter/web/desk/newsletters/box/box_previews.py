"""The box in a small page of ours, in a frame of the desk: the real script and the real form, but nothing is sent.

All of it stands under /desk, because a desk with an address of its own serves nothing else.
"""

import json

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from newsletter.embed.box_script import box_script
from newsletter.embed.snippet import BoxLook
from newsletter.errors import NotFound
from newsletter.operators.roles import Role
from newsletter.web.desk.frame import forms, origin
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.desk.newsletters.text_languages import tag_in
from newsletter.web.public.box import box_documents, box_forms

SERVICE = "/desk/box-previews"  # what the script takes for the address of the service
# The one script that runs is the box's. It asks the desk as the operator, which it could not in a sandbox.
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; img-src 'self'; "
    "form-action 'none'; frame-ancestors 'self'; base-uri 'none'"
)
NOTHING_SENT = {
    "title": "This is a preview",
    "message": "Nothing was sent, and nobody was signed up.",
    "hint": "On your site, visitors read here that a letter is on its way, or they see your own page if you chose one.",
}

router = DeskRouter()


@router.page("/newsletters/{slugs}/preview/box", Role.VIEWER)
def box_preview(slugs: str, request: Request, desk: CurrentDesk) -> HTMLResponse:
    """Show a page with the box. The query names its look and its language, and whether the page is dark."""
    newsletter, query = desk.newsletter, request.query_params
    look = query.get("look", "")
    page = desk.page(
        "newsletters/box/preview",
        slugs=slugs.replace(",", " "),
        tag=tag_in(newsletter, query.get("language") or newsletter.language),
        look=BoxLook(look) if look in list(BoxLook) else BoxLook.INLINE,
        is_dark="dark" in query,
        script=f"{SERVICE}/embed.js",
    )
    page.headers["Content-Security-Policy"] = POLICY
    return page


@router.page("/box-previews/embed.js", Role.VIEWER, AccessScope.SOMEWHERE)
def preview_script() -> Response:
    """Serve the box's script, which then asks the desk in place of the site."""
    return Response(box_script(SERVICE).body, media_type="text/javascript")


@router.page("/box-previews/n/{slugs}/form", Role.VIEWER)
def preview_form(slugs: str, request: Request, desk: CurrentDesk) -> Response:
    """Serve the form as JSON, as it is now, with the token that a form of the desk needs."""
    first, site, names = desk.newsletter, desk.site, box_forms.named(slugs)
    offered = site.offered.latest(names)
    published = box_documents.published(offered, offered.chosen(names))
    tag = tag_in(first, request.query_params.get("language") or first.language)
    if not published:
        raise NotFound
    box = box_documents.box(site, offered, list(published), published.get(tag) or next(iter(published.values())))
    visit = origin.read_cookie(request, site, origin.VISIT)
    box["fields"] = {forms.FIELD: forms.token(site, visit, desk.operator.operator_id)}
    return Response(json.dumps(box, ensure_ascii=False), media_type="application/json")


@router.action("/box-previews/subscribe", Role.VIEWER, AccessScope.SOMEWHERE)
def nothing_sent(form: PostedForm) -> Response:  # noqa: ARG001 - it is dropped
    """Answer as the site does after a sign-up, but store nothing."""
    return JSONResponse(NOTHING_SENT, 202)
