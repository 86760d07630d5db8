"""Documents that pages of the desk show in a sandboxed frame: letters and pages as readers see them.

Such a document runs nothing, sends nothing, and its links open nothing.
"""

from fastapi.responses import HTMLResponse

from newsletter.web.site import Site

# What this class of documents may load: their own inline styles, our stylesheets, and pictures of the site.
POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' {site}; "
    "form-action 'none'; frame-ancestors 'self'; base-uri 'none'; sandbox"
)
NO_LINKS = '<base target="_blank">'  # a sandboxed frame opens no windows


def shown(site: Site, html: str, *, status: int = 200) -> HTMLResponse:
    """Return a document for a sandboxed frame of a page of the desk."""
    policy = POLICY.format(site=site.settings.site_origin)
    return HTMLResponse(html.replace("<head>", f"<head>{NO_LINKS}", 1), status, {"Content-Security-Policy": policy})
