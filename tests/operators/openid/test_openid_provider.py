"""What the desk accepts from an OpenID provider: only its own, fresh answers to this sign-in, signed with its key."""

import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from joserfc.jws import JWSRegistry

from newsletter.operators.openid.accounts import ProvidedAccount
from newsletter.operators.openid.provider import NOT_OURS, OpenIdProvider, WaySecrets
from newsletter.operators.openid.provider_documents import ProviderDocuments
from newsletter.operators.openid.provider_http import ProviderTrouble
from tests.clock import NOON
from tests.local_http import LocalHttp, local_http
from tests.transports import FakeMonotonic

KEY, OTHER_KEY = (RSAKey.generate_key(2048, {"kid": kid}) for kid in ("one", "two"))
SECRET = "s3cret"
WAY = WaySecrets("a state", "a nonce", "a verifier of PKCE")
BACK = "https://desk.example/desk/sign-in/provider/callback"
SECONDS = int(NOON.timestamp())


class ScriptedProvider:
    """A provider whose answers a test sets."""

    def __init__(self, site: LocalHttp) -> None:
        self.site = site
        self.issuer = site.url("")
        self.monotonic = FakeMonotonic()
        self.describe()
        self.publish(KEY)
        self.answer()

    def describe(self, **changes: Any) -> None:
        names = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
        urls = {name: self.site.url(path) for name, path in names.items()}
        document = {"issuer": self.issuer, **urls, "userinfo_endpoint": self.site.url("/userinfo"), **changes}
        self.site.put("/.well-known/openid-configuration", json.dumps(document).encode())

    def publish(self, *keys: RSAKey) -> None:
        self.site.put("/keys", json.dumps(KeySet(list(keys)).as_dict()).encode())

    def answer(self, *, key: Any = KEY, alg: str = "RS256", **changes: Any) -> None:
        """Set the answer to a code: a token with these claims, signed with the key."""
        claims = {"iss": self.issuer, "sub": "7", "aud": "desk", "nonce": WAY.nonce, "iat": SECONDS}
        claims |= {"exp": SECONDS + 600, "email": "Eva@Press.example", "email_verified": True, **changes}
        claims = {name: value for name, value in claims.items() if value is not None}
        registry = JWSRegistry(algorithms=[alg])
        header = {"alg": alg} | ({"kid": key.kid} if getattr(key, "kid", None) else {})
        self.give(id_token=jwt.encode(header, claims, key, registry=registry), access_token="opaque")

    def give(self, *, status: int = 200, **document: Any) -> None:
        self.site.put("/token", json.dumps(document).encode(), status=status)

    def provider(self, secret: str | None = SECRET) -> OpenIdProvider:
        documents = ProviderDocuments(self.issuer, monotonic=self.monotonic)
        return OpenIdProvider(self.issuer, "desk", secret, name="Press", documents=documents)

    def account(self, *, named_issuer: str = "", **options: Any) -> ProvidedAccount:
        now = options.pop("now", NOON)
        provider = options.pop("provider", None) or self.provider(**options)
        return provider.account("a code", WAY, redirect_uri=BACK, named_issuer=named_issuer, now=now)


@pytest.fixture
def scripted() -> Iterator[ScriptedProvider]:
    with local_http() as site:
        yield ScriptedProvider(site)


def test_the_way_there_names_desk_state_nonce_and_pkce(scripted):
    url = scripted.provider().authorization_url(WAY, redirect_uri=BACK)
    assert url.startswith(scripted.site.url("/authorize?"))
    query = {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}
    assert query.pop("code_challenge") not in ("", WAY.verifier)
    assert query == {
        "client_id": "desk",
        "response_type": "code",
        "redirect_uri": BACK,
        "scope": "openid email",
        "state": WAY.state,
        "nonce": WAY.nonce,
        "code_challenge_method": "S256",
    }
    assert len({part for _ in range(20) for part in WaySecrets.new()}) == 60


def test_a_code_becomes_an_account_with_its_verified_address(scripted):
    assert scripted.account() == ProvidedAccount(scripted.issuer, "7", "eva@press.example")
    (body,) = map(parse_qs, map(bytes.decode, scripted.site.bodies))
    assert (body["code"], body["code_verifier"], body["redirect_uri"]) == (["a code"], [WAY.verifier], [BACK])


@pytest.mark.parametrize(
    ("methods", "secret", "header", "in_body"),
    [
        (["client_secret_basic", "client_secret_post"], "s3cret", b64encode(b"desk:s3cret").decode(), False),
        (["client_secret_post"], "s3cret", None, True),
        (["none"], None, None, False),
    ],
)
def test_the_desk_shows_its_secret_as_the_provider_wants_it(scripted, methods, secret, header, in_body):
    scripted.describe(token_endpoint_auth_methods_supported=methods)
    scripted.account(secret=secret)
    headers = next(headers for path, headers in scripted.site.requests if path == "/token")
    assert headers.get("authorization") == (header and f"Basic {header}")
    body = parse_qs(scripted.site.bodies[0].decode())
    assert body.get("client_secret") == (["s3cret"] if in_body else None)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": ["desk", "another"]},
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"exp": SECONDS - 121},
        {"exp": None},
        {"iat": SECONDS + 600},
        {"sub": None},
        {"at_hash": "of another token"},
    ],
    ids=str,
)
def test_a_token_for_anything_else_is_refused(scripted, changes):
    scripted.answer(**changes)
    with pytest.raises(ProviderTrouble, match=NOT_OURS):
        scripted.account()


def test_a_token_that_the_provider_did_not_sign_is_refused(scripted):
    for key, alg in ((OTHER_KEY, "RS256"), (OctKey.import_key("s3cret" * 6), "HS256")):
        scripted.describe(id_token_signing_alg_values_supported=["RS256", "HS256", "none"])
        scripted.answer(key=key, alg=alg)
        with pytest.raises(ProviderTrouble, match=NOT_OURS):
            scripted.account()
    for token in ("", "a.b.c", "e30.e30.", None, 7):
        scripted.give(id_token=token)
        with pytest.raises(ProviderTrouble, match=NOT_OURS):
            scripted.account()


def test_an_answer_that_names_another_sender_is_refused(scripted):
    assert scripted.account(named_issuer=scripted.issuer)
    with pytest.raises(ProviderTrouble, match=NOT_OURS):
        scripted.account(named_issuer="https://evil.example")
    scripted.describe(authorization_response_iss_parameter_supported=True)
    with pytest.raises(ProviderTrouble, match=NOT_OURS):
        scripted.account()


def test_a_new_key_of_the_provider_is_found_within_a_minute(scripted):
    provider = scripted.provider()
    scripted.account(provider=provider)
    scripted.publish(OTHER_KEY)
    scripted.answer(key=OTHER_KEY)
    with pytest.raises(ProviderTrouble, match=NOT_OURS):
        scripted.account(provider=provider)
    scripted.monotonic.now += 61
    assert scripted.account(provider=provider)
    asked = [path for path, _ in scripted.site.requests]
    assert (asked.count("/keys"), asked.count("/.well-known/openid-configuration")) == (2, 1)


@pytest.mark.parametrize(
    ("claims", "userinfo", "address"),
    [
        ({"email_verified": False}, {}, None),
        ({"email_verified": "true"}, {}, None),
        ({"email_verified": 1}, {}, None),
        ({"email_verified": None}, {}, None),
        ({"email": "not an address"}, {}, None),
        ({"email": None}, {"sub": "7", "email": "eva@press.example", "email_verified": True}, "eva@press.example"),
        ({"email": None}, {"sub": "8", "email": "eva@press.example", "email_verified": True}, None),
        ({"email": None}, {"sub": "7", "email": "eva@press.example"}, None),
    ],
    ids=str,
)
def test_an_address_counts_only_if_the_provider_has_verified_it_for_this_account(scripted, claims, userinfo, address):
    scripted.answer(**claims)
    scripted.site.put("/userinfo", json.dumps(userinfo).encode())
    assert scripted.account().address == address


def test_what_the_provider_refuses_is_told_in_words(scripted):
    for error, words in (("invalid_grant", "start again"), ("invalid_client", "client secret is wrong")):
        scripted.give(status=400, error=error)
        with pytest.raises(ProviderTrouble, match=words):
            scripted.account()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"issuer": "https://other.example"}, "calls itself “https://other.example”"),
        ({"token_endpoint": "http://id.example/token"}, "no address with HTTPS as its token_endpoint"),
        ({"jwks_uri": None}, "no address with HTTPS as its jwks_uri"),
    ],
)
def test_a_provider_that_describes_itself_wrongly_is_not_used(scripted, changes, words):
    scripted.describe(**changes)
    with pytest.raises(ProviderTrouble, match=words):
        scripted.account()


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{" * 600_000, b"\xff"], ids=["page", "list", "long", "bytes"])
def test_a_provider_that_answers_nonsense_is_told_in_words(scripted, body):
    scripted.site.put("/.well-known/openid-configuration", body)
    with pytest.raises(ProviderTrouble, match="cannot read"):
        scripted.account()


def test_a_provider_that_is_away_is_told_in_words_and_asked_again(scripted):
    with local_http() as away:
        issuer = away.url("")
    provider = OpenIdProvider(issuer, "desk", None, name="Press")
    with pytest.raises(ProviderTrouble, match="does not answer"):
        provider.authorization_url(WAY, redirect_uri=BACK)
    scripted.site.put("/keys", b"", status=503)
    provider = scripted.provider()
    with pytest.raises(ProviderTrouble, match="cannot read"):
        scripted.account(provider=provider)
    scripted.publish(KEY)
    assert scripted.account(provider=provider)


def test_a_sign_in_an_hour_later_is_checked_by_the_clock(scripted):
    assert scripted.account(now=NOON + timedelta(minutes=10))
    with pytest.raises(ProviderTrouble, match=NOT_OURS):
        scripted.account(now=NOON + timedelta(hours=1))
