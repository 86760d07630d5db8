"""What a provider says of itself (OpenID Connect Discovery 1.0), and its public keys; both are kept for an hour."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple

from authlib.oidc.discovery import get_well_known_url
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from newsletter.operators.openid import provider_http
from newsletter.operators.openid.provider_http import ProviderTrouble

KEPT_SECONDS = 3600.0
NEWER_KEYS_SECONDS = 60.0  # between two looks for a key that is not among those known

# Signatures with a public key. With the others, whoever has read the client's secret could sign as the provider.
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})


class ProviderMetadata(NamedTuple):
    """Where a provider is asked what, and how."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    algorithms: list[str]  # of its ID tokens
    secret_in_body: bool  # whether it takes the client's secret in the form only
    names_itself: bool  # in the parameter `iss` of what it sends back (RFC 9207)


class ProviderDocuments:
    """The documents of one provider. Threads share them."""

    def __init__(self, issuer: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.issuer = issuer
        self._monotonic = monotonic
        self._lock = Lock()
        self._metadata: tuple[float, ProviderMetadata] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def metadata(self) -> ProviderMetadata:
        """Return what the provider says of itself. Raises ProviderTrouble."""
        with self._lock:
            return self._known_metadata()

    def keys(self, *, newer: bool = False) -> KeySet:
        """Return the provider's keys; `newer` ones if those are older than a minute. Raises ProviderTrouble."""
        with self._lock:
            kept = NEWER_KEYS_SECONDS if newer else KEPT_SECONDS
            if self._keys is None or self._monotonic() - self._keys[0] > kept:
                url = self._known_metadata().jwks_uri
                document = provider_http.ask("GET", url).document
                try:
                    self._keys = self._monotonic(), KeySet.import_key_set(document)  # type: ignore[arg-type]
                except (JoseError, ValueError, KeyError, TypeError, AttributeError):
                    raise ProviderTrouble("The provider's keys cannot be read.") from None
            return self._keys[1]

    def _known_metadata(self) -> ProviderMetadata:
        if self._metadata is None or self._monotonic() - self._metadata[0] > KEPT_SECONDS:
            answer = provider_http.ask("GET", get_well_known_url(self.issuer, external=True))
            self._metadata = self._monotonic(), self._checked(answer.document)
        return self._metadata[1]

    def _checked(self, document: dict[str, Any]) -> ProviderMetadata:
        """Return the metadata, or raise ProviderTrouble: it must be the issuer's own, and must keep secrets private."""
        if document.get("issuer") != self.issuer:
            raise ProviderTrouble(
                f"The provider calls itself “{document.get('issuer')}”. NEWSLETTER_OIDC_ISSUER must be exactly that."
            )
        endpoints = {name: document.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
        for name, url in endpoints.items():
            if not provider_http.is_private(url):
                raise ProviderTrouble(f"The provider names no address with HTTPS as its {name}.")
        userinfo = document.get("userinfo_endpoint")
        offered = document.get("id_token_signing_alg_values_supported") or ["RS256"]
        methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return ProviderMetadata(
            **{name: str(url) for name, url in endpoints.items()},
            userinfo_endpoint=userinfo if provider_http.is_private(userinfo) else None,
            algorithms=sorted(ALGORITHMS.intersection(map(str, offered))),
            secret_in_body="client_secret_basic" not in methods and "client_secret_post" in methods,
            names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        )
