"""The addresses at which the site and its desk are reached."""

import re
from urllib.parse import urlsplit

from pydantic import field_validator

from newsletter.relays import is_loopback
from newsletter.setting_groups.group import SettingGroup

MAX_BASE_URL_CHARACTERS = 255  # with a token it must fit a line of List-Unsubscribe, at most 998 characters
SITE_PATH = re.compile(r"(/[A-Za-z0-9_-]+)+")


class SiteSettings(SettingGroup):
    """The addresses of site and desk, and what follows from them."""

    base_url: str = "http://localhost:8000"
    desk_url: str | None = None  # the origin of the desk; None: that of BASE_URL

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        if not _is_site(value, may_have_path=True):
            raise ValueError("enter the site's URL, such as https://letters.example.org or https://example.org/letters")
        if len(value) > MAX_BASE_URL_CHARACTERS:
            raise ValueError(
                f"a site's address of more than {MAX_BASE_URL_CHARACTERS} characters does not fit a letter's header"
            )
        return value.rstrip("/")

    @field_validator("desk_url")
    @classmethod
    def _check_desk_url(cls, value: str | None) -> str | None:
        if value and not _is_site(value):
            raise ValueError("enter the desk's URL without a path, such as https://desk.example.org")
        return value.rstrip("/") if value else None

    @property
    def base_path(self) -> str:
        """The path of BASE_URL, under which the site lives: "/letters"; "" if it has a host of its own."""
        return urlsplit(self.base_url).path.rstrip("/")

    @property
    def site_origin(self) -> str:
        """The scheme and host of the site's pages, without its path."""
        return "://".join(urlsplit(self.base_url)[:2])

    @property
    def is_public_http(self) -> bool:
        """Whether others than this machine get links that are not encrypted."""
        return self.base_url.startswith("http://") and not self.is_local

    @property
    def desk_origin(self) -> str:
        """The scheme and host of the desk's pages."""
        return "://".join(urlsplit(self.desk_url or self.base_url)[:2])

    @property
    def has_desk_host(self) -> bool:
        """Whether the desk has an origin of its own, apart from the site's."""
        return self.desk_origin != self.site_origin

    @property
    def desk_problem(self) -> str | None:
        """Why the desk cannot be opened, and what to do; None if it can."""
        if not self.has_desk_host and self.base_path:
            return (
                "The site lives under a path, so other pages share its origin and could act in an operator's name. "
                "Give the desk an origin of its own: NEWSLETTER_DESK_URL=https://desk.example.org"
            )
        if self.desk_origin.startswith("http://") and not self.is_loopback_desk:
            return (
                "The desk needs HTTPS: over plain HTTP anybody on the way can read passwords and act in an operator's "
                "name. Put a proxy with a certificate in front, and give its address: NEWSLETTER_BASE_URL=https://..."
            )
        return None

    @property
    def is_loopback_desk(self) -> bool:
        """Whether only this machine can reach the desk."""
        return is_loopback(urlsplit(self.desk_origin).hostname or "")

    @property
    def is_local(self) -> bool:
        """Whether BASE_URL is a loopback address, so that only this machine can reach the site."""
        return is_loopback(urlsplit(self.base_url).hostname or "")


def _is_site(value: str, *, may_have_path: bool = False) -> bool:
    """Whether the value is an HTTP URL of a host alone, or also of a path of plain names, without a query."""
    try:
        url = urlsplit(value)
        has_host = bool(url.hostname) and url.port != 0
    except ValueError:  # an invalid port, or empty brackets
        return False
    is_plain = value.isascii() and value.isprintable() and not set(value) & set(' "<>\\^`{|}@')
    path = url.path.rstrip("/")
    is_whole = url.scheme in ("http", "https") and value.rstrip("/") == f"{url.scheme}://{url.netloc}{path}"
    return is_plain and has_host and is_whole and (not path or (may_have_path and bool(SITE_PATH.fullmatch(path))))
