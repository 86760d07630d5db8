"""The lines that a publisher puts into a page to show the box."""

from collections.abc import Sequence
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


def snippet(
    offered: Sequence[Newsletter], base_url: str, *, look: BoxLook = BoxLook.INLINE, integrity: bool = False
) -> str:
    """Return the script's tag for a box of these newsletters, and a link for visitors without script.

    `integrity` names the hash of the script. A dialog is opened by that link, so all visitors see it; the others see it
    only without script.
    """
    script = box_script(base_url)
    source = f'src="{base_url}/embed.js"'
    if integrity:
        source = f'src="{base_url}{script.path}" integrity="{script.integrity}" crossorigin="anonymous"'
    attributes = {
        BoxLook.INLINE: "",
        BoxLook.BAR: f' data-look="{look}"',
        BoxLook.DIALOG: f' data-look="{look}" data-opener="#{OPENER}"',
    }
    script_tag = f'<script {source} data-newsletter="{_slugs(offered)}"{attributes[look]} async></script>'
    if look is BoxLook.DIALOG:
        opener = _link(offered, base_url, f'id="{OPENER}" ')
        return f"{opener}\n{script_tag}"
    return f"{script_tag}\n<noscript>{_link(offered, base_url)}</noscript>"


def element(offered: Sequence[Newsletter], base_url: str) -> str:
    """Return the element that is a box wherever a page or a program puts it, once the script is loaded."""
    return f'<newsletter-signup newsletter="{_slugs(offered)}">{_link(offered, base_url)}</newsletter-signup>'


def _slugs(offered: Sequence[Newsletter]) -> str:
    return " ".join(each.slug for each in offered)


def _link(offered: Sequence[Newsletter], base_url: str, attributes: str = "") -> str:
    """Return the link to the page of the only newsletter, or to the one with the form of several."""
    if len(offered) == 1:
        only = offered[0]
        return f'<a {attributes}href="{base_url}/n/{only.slug}" lang="{only.language}">{escape(only.name)}</a>'
    names = ", ".join(f'<span lang="{each.language}">{escape(each.name)}</span>' for each in offered)
    return f'<a {attributes}href="{base_url}/">{names}</a>'
