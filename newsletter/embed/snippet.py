"""The lines that a publisher puts into a page to show the box."""

from enum import StrEnum
from html import escape

from newsletter.embed.box_script import box_script
from newsletter.newsletters import Newsletter

OPENER = "newsletter-link"  # the id of the link that opens a dialog


class BoxLook(StrEnum):
    """How a page shows the box. The values are those of the attribute."""

    INLINE = "inline"
    BAR = "bar"
    DIALOG = "dialog"


def snippet(newsletter: Newsletter, base_url: str, *, look: BoxLook = BoxLook.INLINE, integrity: bool = False) -> str:
    """Return the script's tag, and a link for visitors without script. `integrity` names the hash of the script.

    A dialog is opened by that link, so all visitors see it; the others see it only without script.
    """
    script = box_script(base_url)
    source = f'src="{base_url}/embed.js"'
    if integrity:
        source = f'src="{base_url}{script.path}" integrity="{script.integrity}" crossorigin="anonymous"'
    page, name = f"{base_url}/n/{newsletter.slug}", escape(newsletter.name)
    attributes = {
        BoxLook.INLINE: "",
        BoxLook.BAR: f' data-look="{look}"',
        BoxLook.DIALOG: f' data-look="{look}" data-opener="#{OPENER}"',
    }
    script_tag = f'<script {source} data-newsletter="{newsletter.slug}"{attributes[look]} async></script>'
    if look is BoxLook.DIALOG:
        link = f'<a id="{OPENER}" href="{page}" lang="{newsletter.language}">{name}</a>'
        return f"{link}\n{script_tag}"
    return f'{script_tag}\n<noscript><a href="{page}" lang="{newsletter.language}">{name}</a></noscript>'


def element(newsletter: Newsletter, base_url: str) -> str:
    """Return the element that is a box wherever a page or a program puts it, once the script is loaded."""
    page, name = f"{base_url}/n/{newsletter.slug}", escape(newsletter.name)
    link = f'<a href="{page}" lang="{newsletter.language}">{name}</a>'
    return f'<newsletter-signup newsletter="{newsletter.slug}">{link}</newsletter-signup>'
