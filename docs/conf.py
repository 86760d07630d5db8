"""The settings of Sphinx, which builds these pages as a site: `make docs`."""

from importlib import metadata
from typing import Any

from sphinx.application import Sphinx

project = "Newsletter"
release = metadata.version("newsletter")
extensions = ["myst_parser"]
exclude_patterns = ["_site", "_static"]
myst_enable_extensions = ["html_image"]
nitpicky = True  # an unknown reference is a warning, and `make docs` fails on warnings
myst_heading_anchors = 3

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = "Newsletter"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False

# The fonts and the color of the service's own pages (newsletter/web/static/tokens.css). No font is downloaded.
FONTS = {
    "font-stack": '-apple-system, "Segoe UI", Roboto, Cantarell, Ubuntu, "Noto Sans", system-ui, sans-serif',
    "font-stack--headings": 'Charter, "Iowan Old Style", "Sitka Text", Cambria, "Noto Serif", serif',
    "font-stack--monospace": 'ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace',
}
html_theme_options = {
    "light_css_variables": FONTS | {"color-brand-primary": "#0f5c6e", "color-brand-content": "#0f5c6e"},
    "dark_css_variables": {"color-brand-primary": "#8fcadb", "color-brand-content": "#8fcadb"},
}

# Browsers refuse requests to other hosts. Furo needs inline scripts and styles.
POLICY = "default-src 'self' data: 'unsafe-inline'"


def setup(app: Sphinx) -> None:
    """Add the policy to every page."""
    app.connect("html-page-context", _forbid_other_sites)


def _forbid_other_sites(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:  # noqa: ARG001
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    context["metatags"] = policy + context.get("metatags", "")
