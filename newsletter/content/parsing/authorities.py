"""Authorities: the part of an address that names host and port (RFC 3986 section 3.2)."""

from contextlib import suppress
from urllib.parse import SplitResult

DEFAULT_PORTS = (None, 80, 443)
MAX_HOST = 253  # characters (RFC 1035 section 2.3.4); no resolver knows a longer name, and IDNA takes seconds for one


def authority(parts: SplitResult) -> str:
    """Return host and port in the one form that all their spellings share: "xn--bcher-kva.example:8080".

    It has no user, no last dot and no default port. Raises ValueError for a port that is no number.
    """
    host = (parts.hostname or "").rstrip(".")
    with suppress(UnicodeError):  # a name that no resolver knows stays as it is
        host = host.encode("idna").decode() if len(host) <= MAX_HOST else host
    return host if parts.port in DEFAULT_PORTS else f"{host}:{parts.port}"
