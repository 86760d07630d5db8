"""Ask the OpenID provider over HTTP: for JSON of a limited size, within seconds, and without following redirects."""

import json
import logging
import time
from collections.abc import Mapping
from functools import lru_cache
from ssl import SSLContext
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx2

from newsletter.errors import NewsletterError
from newsletter.relays import is_loopback

SECONDS = 8.0  # that an answer may take; somebody waits for it
MAX_BYTES = 512 * 1024

log = logging.getLogger(__name__)


class ProviderTrouble(NewsletterError):
    """The provider cannot be asked, or its answer cannot be used. The message is for the person who signs in."""


class ProviderAnswer(NamedTuple):
    """A JSON object that the provider answered with."""

    status: int
    document: dict[str, Any]


def ask(
    method: str, url: str, *, headers: Mapping[str, str] | None = None, content: str | None = None
) -> ProviderAnswer:
    """Return the provider's answer. Raises ProviderTrouble if it has none in time, or no JSON object."""
    host = urlsplit(url).hostname or "the provider"
    accepted = {"Accept": "application/json", **(headers or {})}
    try:
        with (
            httpx2.Client(timeout=SECONDS, verify=_tls(), trust_env=False) as client,
            client.stream(method, url, headers=accepted, content=content) as response,
        ):
            body = _read(response, until=time.monotonic() + SECONDS)
            status = response.status_code
        document = json.loads(body)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        log.warning("the OpenID provider cannot be reached", extra={"error": type(error).__name__})
        raise ProviderTrouble(f"{host} does not answer. Nothing was changed; please try again in a minute.") from None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        log.warning("the OpenID provider answered without JSON", extra={"status": status})
        raise ProviderTrouble(f"{host} answers with something that this desk cannot read (status {status}).")
    return ProviderAnswer(status, document)


def is_private(url: Any) -> bool:
    """Whether a URL is one that nobody on the way can read: HTTPS, or HTTP on this machine."""
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    except ValueError:
        return False


def _read(response: httpx2.Response, *, until: float) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_BYTES:
            return b""  # which is no JSON
        if time.monotonic() > until:
            raise httpx2.ReadTimeout("the answer takes too long")
    return bytes(body)


@lru_cache(maxsize=1)
def _tls() -> SSLContext:
    """Return the certificates to trust; SSL_CERT_FILE may name those of an organization's own provider."""
    return httpx2.create_ssl_context(trust_env=True)
