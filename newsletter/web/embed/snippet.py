"""The lines that a publisher puts into a page to show the box."""

from html import escape

from newsletter.newsletters import Newsletter
from newsletter.web.embed.box_script import box_script


def snippet(newsletter: Newsletter, base_url: str, *, integrity: bool = False) -> str:
    """Return the script's tag, and a link for visitors without script. `integrity` names the hash of the script."""
    script = box_script(base_url)
    source = f'src="{base_url}/embed.js"'
    if integrity:
        source = f'src="{base_url}{script.path}" integrity="{script.integrity}" crossorigin="anonymous"'
    page = f"{base_url}/n/{newsletter.slug}"
    return (
        f'<script {source} data-newsletter="{newsletter.slug}" async></script>\n'
        f'<noscript><a href="{page}" lang="{newsletter.language}">{escape(newsletter.name)}</a></noscript>'
    )
