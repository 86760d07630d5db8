"""A service whose desk a test enters as an operator with the grants that it names."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from selectolax.lexbor import LexborHTMLParser

from newsletter import newsletters
from newsletter.operators import operators, sessions
from newsletter.operators.grants import Grant
from newsletter.operators.roles import Role
from newsletter.operators.sessions import SessionStage
from tests.whole_service import WholeService, whole_service

NUMBERS = count(1)
ON_BOTH = pytest.mark.parametrize(
    "service", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)


@dataclass
class AtDesk:
    """An operator's browser."""

    browser: TestClient
    operator_id: int
    address: str
    _token: str = ""

    @property
    def cookie(self) -> str:
        """The token of its session."""
        return self.browser.cookies["desk"]

    def get(self, path: str = "", **options: Any) -> Any:
        return self.browser.get(f"/desk{path}", **options)

    def page(self, path: str = "") -> LexborHTMLParser:
        """Return a page, which must exist."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return LexborHTMLParser(answer.text)

    def form_token(self, path: str = "") -> str:
        """Return the token of the forms on a page."""
        found = self.page(path).css_first("input[name=form_token]")
        assert found
        self._token = str(found.attributes["value"])
        return self._token

    def post(self, path: str, data: dict[str, Any] | None = None, *, of: str = "", **options: Any) -> Any:
        """Post a form of the page `of`, and return the answer without following it.

        Without a page it has the token of an earlier one: all forms of an operator in one browser have the same.
        """
        token = self._token if self._token and not of else self.form_token(of or "/account")
        fields = {"form_token": token, **(data or {})}
        return self.browser.post(f"/desk{path}", data=fields, **{"follow_redirects": False, **options})


SignIn = Callable[..., AtDesk]


PASSWORD = "violet harbour ledger 7"


@dataclass
class Visitor:
    """A browser in which nobody has signed in yet."""

    browser: TestClient

    def sign_in(self, address: str, password: str = PASSWORD, **fields: Any) -> Any:
        """Send the form of the sign-in page; return the answer."""
        page = LexborHTMLParser(self.browser.get("/desk/sign-in").text)
        return self.send("/desk/sign-in", page, {"address": address, "password": password, **fields})

    def send(self, path: str, page: LexborHTMLParser, fields: dict[str, Any], **options: Any) -> Any:
        """Send the form with this path, as the page has it, with further fields."""
        hidden = {str(each.attributes["name"]): each.attributes["value"] for each in _hidden(page, path)}
        return self.browser.post(path, data=hidden | fields, **{"follow_redirects": False, **options})


def _hidden(page: LexborHTMLParser, path: str) -> list[Any]:
    form = page.css_first(f"form[action='{path}']")
    assert form, page.html
    return form.css("input[type=hidden]")


@pytest.fixture
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WholeService]:
    """A service on SQLite; in tests that are marked ON_BOTH, because a page has statements of its own, on both."""
    url = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")
    with whole_service(url, tmp_path) as service:
        yield service


@pytest.fixture
def visit(service: WholeService) -> Iterator[Callable[..., Visitor]]:
    """Open a browser that knows nobody; `agent` is its User-Agent, `ip` the address from which it comes."""
    opened: list[TestClient] = []

    def begin(agent: str = "Tests", ip: str = "198.51.100.7") -> Visitor:
        app, url = service.browser.app, service.site.settings.base_url
        browser = TestClient(app, base_url=url, headers={"User-Agent": agent}, client=(ip, 50_000))
        browser.portal = service.browser.portal  # or each request would start a thread with an event loop of its own
        opened.append(browser)
        return Visitor(browser)

    yield begin
    for browser in opened:
        browser.close()


@pytest.fixture
def operator(service: WholeService) -> Callable[..., int]:
    """Add an operator with a password; return the id."""

    def add(address: str = "ann@press.example", role: Role = Role.ADMIN, password: str | None = PASSWORD) -> int:
        hashed = password and service.site.passwords.hash(password)
        with service.site.database.writing() as session:
            added = operators.add(session, address, role=role, actor="tests", now=service.clock())
            added.password_hash = hashed
            return added.id

    return add


@pytest.fixture
def sign_in(service: WholeService) -> Iterator[SignIn]:
    """Sign an operator in with a role for all newsletters, or for those with the given slugs."""
    with signing_in(service) as enter:
        yield enter


@contextmanager
def signing_in(service: WholeService) -> Iterator[SignIn]:
    """Sign operators in to this service, as `sign_in` does."""
    opened: list[TestClient] = []

    def enter(role: Role = Role.ADMIN, *slugs: str, address: str | None = None) -> AtDesk:
        clock, address = service.clock, address or f"operator{next(NUMBERS)}@press.example"
        with service.site.database.writing() as session:
            operator = operators.add(session, address, role=role, actor="tests", now=clock())
            if slugs:
                session.query(Grant).filter_by(operator_id=operator.id).delete()
                for slug in slugs:
                    number = newsletters.named(session, slug).id
                    session.add(Grant(operator_id=operator.id, newsletter_id=number, role=role))
            token = sessions.begin(session, operator.id, device="Tests", stage=SessionStage.FULL, now=clock())
            operator_id = operator.id
        browser = TestClient(service.browser.app, base_url=service.site.settings.base_url)
        browser.portal = service.browser.portal
        browser.cookies.set("desk", token, domain="localhost.local")
        opened.append(browser)
        return AtDesk(browser, operator_id, address)

    yield enter
    for browser in opened:
        browser.close()
