"""Learn from an OpenID provider whose account somebody has: the authorization code flow with PKCE.

OpenID Connect Core 1.0 section 3.1. An account is named by issuer and subject alone; its address serves only where the
provider says that it has verified it.
"""

import logging
import secrets
from datetime import datetime
from typing import Any, NamedTuple

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jws import JWSRegistry

from newsletter import addresses
from newsletter.errors import Malformed
from newsletter.operators.openid import provider_http
from newsletter.operators.openid.accounts import MAX_SUBJECT, ProvidedAccount
from newsletter.operators.openid.provider_documents import ProviderDocuments, ProviderMetadata
from newsletter.operators.openid.provider_http import ProviderTrouble

SCOPE = "openid email"
LEEWAY_SECONDS = 120  # between the provider's clock and ours
SECRET_BYTES = 32

START_AGAIN = (
    "The provider no longer accepts this sign-in: it was used already, or it took too long. Please start again."
)
NOT_OURS = "The provider's answer is not for this sign-in. Nothing was changed; please start again."
REFUSED_DESK = "The provider refuses this desk: its client id or client secret is wrong. Please tell an administrator."

log = logging.getLogger(__name__)


class WaySecrets(NamedTuple):
    """What ties the provider's answer to the browser that was sent there."""

    state: str
    nonce: str
    verifier: str  # of PKCE (RFC 7636)

    @classmethod
    def new(cls) -> "WaySecrets":
        """Return secrets for one sign-in."""
        return cls(*(secrets.token_urlsafe(SECRET_BYTES) for _ in cls._fields))


class OpenIdProvider:
    """The provider with which operators may sign in."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        client_secret: str | None,
        *,
        name: str,
        documents: ProviderDocuments | None = None,
    ) -> None:
        self.issuer = issuer
        self.name = name
        self._client_id = client_id
        self._client_secret = client_secret
        self._documents = documents or ProviderDocuments(issuer)

    def authorization_url(self, way: WaySecrets, *, redirect_uri: str) -> str:
        """Return where to send the browser. Raises ProviderTrouble."""
        return str(
            prepare_grant_uri(
                self._documents.metadata().authorization_endpoint,
                client_id=self._client_id,
                response_type="code",
                redirect_uri=redirect_uri,
                scope=SCOPE,
                state=way.state,
                nonce=way.nonce,
                code_challenge=create_s256_code_challenge(way.verifier),
                code_challenge_method="S256",
            )
        )

    def account(
        self, code: str, way: WaySecrets, *, redirect_uri: str, named_issuer: str, now: datetime
    ) -> ProvidedAccount:
        """Return whose account a code stands for. Asks the provider, so call it with no transaction open.

        `named_issuer` is what the answer with the code said of its sender (RFC 9207). Raises ProviderTrouble.
        """
        metadata = self._documents.metadata()
        if named_issuer != self.issuer and (named_issuer or metadata.names_itself):
            raise ProviderTrouble(NOT_OURS)
        token = self._token(metadata, code, way, redirect_uri)
        claims = self._claims(metadata, token, way.nonce, now)
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
            raise ProviderTrouble("The provider's answer names no account.")
        told = claims if "email" in claims else self._userinfo(metadata, token, subject)
        return ProvidedAccount(self.issuer, subject, _verified_address(told))

    def _token(self, metadata: ProviderMetadata, code: str, way: WaySecrets, redirect_uri: str) -> dict[str, Any]:
        """Exchange the code for tokens."""
        method = "client_secret_post" if metadata.secret_in_body else "client_secret_basic"
        body = prepare_token_request(
            "authorization_code", code=code, redirect_uri=redirect_uri, code_verifier=way.verifier
        )
        client = ClientAuth(self._client_id, self._client_secret, method if self._client_secret else "none")
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        url, headers, body = client.prepare("POST", metadata.token_endpoint, headers, body)
        answer = provider_http.ask("POST", url, headers=headers, content=body)
        if answer.status == 200:
            return answer.document
        error = answer.document.get("error")
        log.warning("the OpenID provider refused a code", extra={"error": str(error)[:80], "status": answer.status})
        raise ProviderTrouble(REFUSED_DESK if error in ("invalid_client", "unauthorized_client") else START_AGAIN)

    def _claims(self, metadata: ProviderMetadata, token: dict[str, Any], nonce: str, now: datetime) -> dict[str, Any]:
        """Return the claims of the ID token, if provider and key, desk, sign-in and time are right."""
        about = {"iss": {"essential": True, "value": self.issuer}, "aud": {"essential": True, "value": self._client_id}}
        expected = {"nonce": nonce, "client_id": self._client_id, "access_token": token.get("access_token")}
        try:
            signed = self._verified(metadata, str(token.get("id_token")))
            claims = CodeIDToken(signed.claims, signed.header, about, expected)
            claims.validate(now=int(now.timestamp()), leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            log.warning("an ID token is not valid", extra={"error": type(error).__name__})
            raise ProviderTrouble(NOT_OURS) from None
        return claims  # type: ignore[no-any-return]

    def _verified(self, metadata: ProviderMetadata, id_token: str) -> jwt.Token:
        registry = JWSRegistry(algorithms=metadata.algorithms, strict_check_header=False)
        try:
            return jwt.decode(id_token, self._documents.keys(), registry=registry)
        except InvalidKeyIdError:  # the provider may have a new key
            return jwt.decode(id_token, self._documents.keys(newer=True), registry=registry)

    def _userinfo(self, metadata: ProviderMetadata, token: dict[str, Any], subject: str) -> dict[str, Any]:
        """Return what the provider tells of the account elsewhere, if it is about the same one (section 5.3.2)."""
        if not metadata.userinfo_endpoint or not isinstance(token.get("access_token"), str):
            return {}
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        answer = provider_http.ask("GET", metadata.userinfo_endpoint, headers=headers)
        return answer.document if answer.status == 200 and answer.document.get("sub") == subject else {}


def _verified_address(told: dict[str, Any]) -> str | None:
    """Return the key of the address if it is certainly theirs: some providers write "false" as text."""
    address = told.get("email")
    if told.get("email_verified") is not True or not isinstance(address, str):
        return None
    try:
        return addresses.parse(address, field="address").key
    except Malformed:
        return None
