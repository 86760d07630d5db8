"""Put embed.js together: the script, the part of its form, its style, and the address of this service."""

import base64
import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from newsletter.appearance.static_files import HASH_CHARACTERS

FOLDER = Path(__file__).parent
CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


class BoxScript(NamedTuple):
    """The script as it is served."""

    body: bytes
    integrity: str  # Subresource Integrity, for a page that names this very version

    @property
    def path(self) -> str:
        """Where this version is, and no other: /static/embed.HASH.js."""
        return f"/static/embed.{hashlib.sha256(self.body).hexdigest()[:HASH_CHARACTERS]}.js"


@lru_cache(maxsize=8)
def box_script(base_url: str) -> BoxScript:
    """Return the script of the service with this address."""
    style = CSS_COMMENT.sub("", (FOLDER / "box.css").read_text("utf-8"))
    source, form = (_without_comments((FOLDER / name).read_text("utf-8")) for name in ("embed.js", "form.js"))
    names = f"const SERVICE = {json.dumps(base_url)}, STYLES = {json.dumps(_compact(style))};"
    body = source.replace('const SERVICE = "", STYLES = "";', f"{names}\n{form}").encode()
    digest = base64.b64encode(hashlib.sha384(body).digest()).decode()
    return BoxScript(body, f"sha384-{digest}")


def _without_comments(source: str) -> str:
    """Return a script without indentation and without lines that are only a comment. No text in it spans lines."""
    lines = (line.strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _compact(style: str) -> str:
    return " ".join(style.split())
