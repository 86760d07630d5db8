"""The OpenID provider with which operators may sign in."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from newsletter.relays import is_loopback
from newsletter.setting_groups.group import SettingGroup


class SignInSettings(SettingGroup):
    """The provider, and what the desk is called there."""

    oidc_issuer: str | None = None  # of the OpenID provider with which operators may sign in
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = Field(default=None, repr=False)
    oidc_name: str = "your organization"  # of the provider, on the button

    @field_validator("oidc_issuer")
    @classmethod
    def _check_oidc_issuer(cls, value: str | None) -> str | None:
        if value and not _is_issuer(value):
            raise ValueError("enter the provider's address as it writes it itself, such as https://id.example.org")
        return value or None

    @model_validator(mode="after")
    def _check_provider(self) -> Self:
        if bool(self.oidc_issuer) != bool(self.oidc_client_id):
            raise ValueError("NEWSLETTER_OIDC_ISSUER and NEWSLETTER_OIDC_CLIENT_ID belong together; set both or none")
        return self


def _is_issuer(value: str) -> bool:
    """Whether the value is an issuer (OpenID Connect Discovery 1.0 section 3): HTTPS, or HTTP on this machine."""
    try:
        url = urlsplit(value)
        host, is_complete = url.hostname or "", url.port != 0
    except ValueError:
        return False
    is_private = url.scheme == "https" or (url.scheme == "http" and is_loopback(host))
    is_plain = value.isascii() and value.isprintable() and not set(value) & set(' "<>\\^`{|}@')
    return bool(host) and is_complete and is_private and is_plain and not url.query and not url.fragment
