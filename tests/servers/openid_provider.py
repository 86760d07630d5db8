"""A real OpenID provider on loopback, with accounts that a test adds."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import httpx2
import pytest

from tests.waiting import TIMEOUT

NUMBERS = count(1)


@dataclass(frozen=True)
class LoopbackProvider:
    """The provider, with accounts that a test adds."""

    issuer: str
    client: httpx2.Client

    def add(self, **claims: object) -> str:
        """Add an account with these claims; return its subject."""
        subject = f"subject-{next(NUMBERS)}"
        self.change(subject, **claims)
        return subject

    def change(self, subject: str, **claims: object) -> None:
        assert self.client.put(f"{self.issuer}/users/{subject}", json=claims).status_code == 204

    def authorize(self, url: str, subject: str | None) -> str:
        """Sign in as this account, or refuse; return where the provider leads the browser then."""
        answered = {"sub": subject} if subject else {"action": "deny"}
        answer = self.client.post(url, data=answered)
        assert answer.status_code == 302, answer.text
        return str(answer.headers["location"])


@pytest.fixture(scope="module")
def provider() -> Iterator[LoopbackProvider]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import oidc_provider_mock  # noqa: PLC0415 - it warns of its own libraries

    with oidc_provider_mock.run_server_in_thread() as server, httpx2.Client(trust_env=False, timeout=TIMEOUT) as client:
        yield LoopbackProvider(f"http://localhost:{server.server_port}", client)
