"""The letters that the relay kept, and what their links open."""

import re
from collections import Counter
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from selectolax.lexbor import LexborHTMLParser

from tests.chaos.relay_log import TAKEN, Arrival
from tests.waiting import TIMEOUT

PREFERENCES = re.compile(rb"/preferences/[\w.-]+")
CONFIRM = re.compile(rb"(/confirm/\w+\.[\w-]+)\.[\w-]+")  # a token, and its part
ONE_CLICK = {"List-Unsubscribe": "One-Click"}  # RFC 8058


class Letters:
    """The letters in the folder in which the relay keeps them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def links(self, arrival: Arrival) -> dict[str, str]:
        """Return the paths of the letter's links by their first part, such as `confirm`, `u` or `preferences`."""
        # As it came over the wire: after the line break of DATA, with dots doubled (RFC 5321 section 4.5.2).
        content = (self._folder / arrival.digest).read_bytes().removeprefix(b"\r\n").replace(b"\r\n..", b"\r\n.")
        letter = message_from_bytes(content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        text = letter.get_body(("plain",))
        words = [str(letter["List-Unsubscribe"] or "").strip("<> "), *(text.get_content().split() if text else ())]
        paths = [urlsplit(word).path for word in words if word.startswith("http://127.0.0.1")]
        return {path.split("/")[1]: path for path in paths}

    def apart_from_links(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """Return the arrivals, with one digest for all repeats that differ in the links of the two releases alone.

        The release before names no newsletter in the link to the preferences, and puts no part behind the link to
        confirm. So a letter that one release repeats for the other has that release's links, and both kinds open on
        both sites.
        """
        taken = Counter(one.message_id for one in arrivals if one.outcome == TAKEN)  # the relay keeps these
        is_repeated = [one.outcome == TAKEN and taken[one.message_id] > 1 for one in arrivals]
        return [
            one._replace(digest=self._digest(one)) if repeated else one
            for one, repeated in zip(arrivals, is_repeated, strict=True)
        ]

    def _digest(self, arrival: Arrival) -> str:
        content = (self._folder / arrival.digest).read_bytes().replace(b"=\r\n", b"")  # RFC 2045 section 6.7, rule 5
        return sha256(CONFIRM.sub(rb"\1", PREFERENCES.sub(b"", content))).hexdigest()


class Browser:
    """A reader's browser on the site of one release."""

    def __init__(self, base_url: str) -> None:
        self._client = httpx2.Client(base_url=base_url, trust_env=False, timeout=TIMEOUT)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def get(self, path: str) -> str:
        """Return the page; fails where the answer is not 200."""
        answer = self._client.get(path)
        assert answer.status_code == 200, f"GET {_place(path)} was answered with {answer.status_code}"
        return answer.text

    def post(self, path: str, data: dict[str, Any], *, status: int = 200) -> str:
        """Post a form and return the page; fails where the answer has another status."""
        answer = self._client.post(path, data=data)
        assert answer.status_code == status, f"POST {_place(path)} was answered with {answer.status_code}"
        return answer.text

    def sign_up(self, address: str) -> None:
        """Fill in the newsletter's form."""
        page = LexborHTMLParser(self.get("/n/morning"))
        fields = page.css("form[action='/subscribe'] input[type=hidden]")
        hidden = {str(field.attributes["name"]): field.attributes["value"] for field in fields}
        self.post("/subscribe", {**hidden, "email": address, "consent": "true"}, status=202)

    def press(self, path: str) -> str:
        """Open a link and press the button with a name on its page; return the answer."""
        button = LexborHTMLParser(self.get(path)).css_first("form[method=post] button[name]")
        assert button, f"no button on {_place(path)}"
        return self.post(path, {str(button.attributes["name"]): button.attributes["value"]})


def _place(path: str) -> str:
    return "/" + path.split("/")[1]
