"""An account at an OpenID provider, as the provider tells of it."""

from typing import NamedTuple

MAX_SUBJECT = 255  # characters, by the standard


class ProvidedAccount(NamedTuple):
    """An account; only issuer and subject name it (OpenID Connect Core 1.0 section 5.7)."""

    issuer: str
    subject: str
    address: str | None  # its key, if the provider has verified that it is theirs
