"""Every route of the desk, tried by every role for all newsletters, for one and for none, on objects of two of them.

A later route is found by itself. What must happen is computed from the access that it declares, and from nothing else.
A path parameter with a new name needs an example in `Examples`.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute

from newsletter import newsletters
from newsletter.content.digests import digests
from newsletter.content.issues.issues import IssueStatus
from newsletter.errors import NotFound
from newsletter.links import Purpose
from newsletter.operators import operator_links, operators, sessions
from newsletter.operators.operator_links import LinkPurpose
from newsletter.operators.roles import Role
from newsletter.operators.sessions import SessionStage
from newsletter.web.desk.frame import forms, origin
from newsletter.web.desk.frame.access import AccessScope, routes_of
from newsletter.web.desk.frame.refusals import ForeignForm, NotSignedIn, RoleMissing
from tests.builders import a_reader, an_issue
from tests.clock import NOON
from tests.content.builders import a_feed, publish
from tests.whole_service import WholeService, whole_service

RANKS = list(Role)
VISIT = "v" * 16  # the cookie of a visit
MORNING, EVENING = "morning", "evening"
FOREIGN = "Zanzibar"  # a word in every text of the evening's newsletter
PRIVATE = "private.example"  # the domain of readers' addresses
AT_ONCE = 4  # requests; each holds a connection to the database
IN, SIGN_IN = "in", "sign in"  # the request reached its endpoint, or leads to the sign-in


@dataclass(frozen=True)
class Caller:
    """Somebody who asks: their role, the newsletter for which they have it ("all", or None), and their browser."""

    role: Role | None
    where: str | None
    cookies: dict[str, str] = field(hash=False)
    form_token: str

    @property
    def is_signed_in(self) -> bool:
        return origin.SESSION in self.cookies

    def __str__(self) -> str:
        return f"{self.role} of {self.where}" if self.role else "nobody"

    def has(self, role: Role, newsletter: str | None = None) -> bool:
        """Whether they have the role for a newsletter; without one, for all of them."""
        is_high_enough = self.role is not None and RANKS.index(self.role) >= RANKS.index(role)
        return is_high_enough and self.where in ("all", newsletter)


@dataclass(frozen=True)
class Question:
    """A route with the objects of a newsletter, and who asks for it."""

    route: APIRoute
    path: str
    newsletter: str
    caller: Caller

    @property
    def is_page(self) -> bool:
        return "GET" in (self.route.methods or ())

    @property
    def expected(self) -> str:
        return expected(self.route, self.caller, self.newsletter)

    @property
    def body(self) -> bytes:
        return b"" if self.is_page else urlencode({"form_token": self.caller.form_token}).encode()

    @property
    def asgi_scope(self) -> dict[str, Any]:
        headers = {
            "host": "localhost",
            "cookie": "; ".join(f"{name}={value}" for name, value in self.caller.cookies.items()),
            "content-type": "application/x-www-form-urlencoded",
            "content-length": str(len(self.body)),
        }
        return {
            "type": "http",
            "http_version": "1.1",
            "method": "GET" if self.is_page else "POST",
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "server": ("localhost", 80),
            "client": ("127.0.0.1", 50_000),
        }

    def __str__(self) -> str:
        return f"{'GET' if self.is_page else 'POST'} {self.path} by {self.caller}"


class Examples:
    """Two newsletters with an object of each kind, and people of every role."""

    def __init__(self, service: WholeService) -> None:
        self.service = service
        self.by_newsletter: dict[str, dict[str, Any]] = {}
        for slug, word in ((MORNING, "Lindenfurt"), (EVENING, FOREIGN)):
            service.newsletter(slug, name=f"{word} Letter")
            self.by_newsletter[slug] = {**self._objects(slug, word), "slug": slug, "slugs": slug, "language": "en"}
        token = self._link()
        for objects in self.by_newsletter.values():
            objects |= {"token": token, "operator_id": 1, "part": "text", "page": "imprint"}
        # From nobody to those who may do most.
        self.callers = [Caller(None, None, {origin.VISIT: VISIT}, self._token(0)), self._caller(Role.VIEWER, None)]
        self.callers += [self._caller(role, where) for role, where in product(Role, (MORNING, "all"))]

    def _objects(self, slug: str, word: str) -> dict[str, Any]:
        with self.service.site.database.writing() as session:
            newsletter = newsletters.named(session, slug)
            feed = a_feed(session, newsletter, word.lower())
            feed.title = f"{word} Gazette"
            publish(session, feed, f"{word.lower()}-news")
            digest = digests.add(
                session, newsletter, name=f"{word} daily", cron="0 7 * * *", actor="tests", now=self.service.clock()
            )
            issue = an_issue(session, newsletter, status=IssueStatus.DRAFTED, titles=(f"{word} opens a bridge",))
            a_reader(session, newsletter, f"{word.lower()}@{PRIVATE}")
            return {"feed_id": feed.id, "digest_id": digest.id, "issue_id": issue.id}

    def _link(self) -> str:
        with self.service.site.database.writing() as session:
            invited = operators.add(session, "new@press.example", role=Role.VIEWER, actor="tests", now=NOON)
            link = operator_links.make(
                session, invited, LinkPurpose.INVITATION, actor="tests", now=self.service.clock()
            )
        return self.service.site.links.token(Purpose.OPERATOR_LINK, link.id)

    def _caller(self, role: Role, where: str | None) -> Caller:
        clock = self.service.clock
        with self.service.site.database.writing() as session:
            chosen = [newsletters.named(session, MORNING)] if where != "all" else None
            address = f"{role}-{where}@press.example"
            operator = operators.add(session, address, role=role, newsletters=chosen, actor="tests", now=clock())
            if where is None:
                operators.revoke(session, operator, newsletter=chosen and chosen[0], actor="tests", now=clock())
            token = sessions.begin(session, operator.id, device="Tests", stage=SessionStage.FULL, now=clock())
        cookies = {origin.SESSION: token, origin.VISIT: VISIT}
        return Caller(role if where else None, where, cookies, self._token(operator.id))

    def _token(self, operator_id: int) -> str:
        return forms.token(self.service.site, VISIT, operator_id)

    def questions(self) -> Iterator[Question]:
        """Yield every route with every caller, and if it is about a newsletter, with its objects.

        Who has a role for one newsletter asks for the objects of both; all others cannot tell them apart.
        """
        for route, caller in product(routes(self), self.callers):
            is_about_one = route.endpoint.desk_access.scope is AccessScope.NEWSLETTER
            slugs = (MORNING, EVENING) if is_about_one and caller.where == MORNING else (EVENING,)
            for slug in slugs:
                yield Question(route, route.path.format(**self.by_newsletter[slug]), slug, caller)


@pytest.fixture
def examples(sqlite_url, tmp_path) -> Iterator[Examples]:
    with whole_service(sqlite_url, tmp_path) as service:
        yield Examples(service)


def routes(examples: Examples) -> list[APIRoute]:
    return [route for route in routes_of(examples.service.browser.app.router) if route.path.startswith("/desk")]


def expected(route: APIRoute, caller: Caller, newsletter: str) -> str:
    """Return what a route declares: that the caller gets in, or what they are told."""
    role, scope = route.endpoint.desk_access
    is_open = scope is AccessScope.OPEN or (scope is AccessScope.NOBODY and caller.is_signed_in)
    if is_open or not caller.is_signed_in:
        return IN if is_open else SIGN_IN
    about = {AccessScope.NEWSLETTER: newsletter, AccessScope.SOMEWHERE: caller.where}.get(scope)
    if scope is AccessScope.NEWSLETTER and not caller.has(Role.VIEWER, newsletter):
        return "404"
    return IN if caller.has(role, about) else "403"


class Guards:
    """The guards of the real routes, before an endpoint that only says IN: the actions would change what is tried."""

    def __init__(self, examples: Examples) -> None:
        real = examples.service.browser.app
        self.app = FastAPI(openapi_url=None, redirect_slashes=False)
        self.app.state = real.state
        for route in routes(examples):
            guard, methods = route.dependencies, list(route.methods or ())
            self.app.add_api_route(route.path, _say_in, methods=methods, dependencies=guard)
        for error, told in ((NotSignedIn, SIGN_IN), (NotFound, "404"), (RoleMissing, "403"), (ForeignForm, "foreign")):
            self.app.add_exception_handler(error, _saying(told))


async def _say_in() -> PlainTextResponse:
    return PlainTextResponse(IN)


def _saying(told: str) -> Callable[..., Any]:
    async def say(_request: Request, _error: Exception) -> PlainTextResponse:
        return PlainTextResponse(told)

    return say


class Answer(NamedTuple):
    """What came back."""

    status_code: int
    headers: dict[str, str]
    text: str


def asked(app: Any, questions: Iterable[Question]) -> list[Answer]:
    """Return the answers. Without an HTTP client, which takes longer than a guard."""

    async def ask() -> list[Answer]:
        free = asyncio.Semaphore(AT_ONCE)
        return await asyncio.gather(*(_answer(app, question, free) for question in questions))

    return asyncio.run(ask())


async def _answer(app: Any, question: Question, free: asyncio.Semaphore) -> Answer:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": question.body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async with free:
        with suppress(Exception):  # an error that the site has answered with 500
            await app(question.asgi_scope, receive, send)
    headers = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(sent[0]["status"], headers, body.decode(errors="replace"))


def test_every_route_of_the_desk_declares_who_may_use_it(examples):
    every = routes(examples)
    assert len(every) > 70
    others = [each for each in examples.service.browser.app.routes if getattr(each, "path", "").startswith("/desk")]
    undeclared = [each.path for each in [*every, *others] if not hasattr(each.endpoint, "desk_access")]
    assert undeclared == []
    known = examples.by_newsletter[MORNING].keys()
    names = {name for each in every for name in re.findall(r"{(\w+)", each.path)}
    assert names <= known, "add an example to Examples"


def test_every_route_lets_in_whom_it_declares_and_nobody_else(examples):
    questions = list(examples.questions())
    answers = asked(Guards(examples).app, questions)
    wrong = [
        f"{question}: {answer.text} instead of {question.expected}"
        for question, answer in zip(questions, answers, strict=True)
        if answer.text != question.expected
    ]
    assert wrong == []
    assert min(Counter(question.expected for question in questions).values()) > 50


def test_the_real_routes_refuse_the_highest_role_that_does_not_suffice(examples):
    last = {
        (question.route.path, str(question.route.methods), question.expected): question
        for question in examples.questions()
    }
    refused = [question for question in last.values() if question.expected != IN]
    answers = asked(examples.service.browser.app, refused)
    wrong = [
        f"{question}: {answer.status_code} instead of {question.expected}"
        for question, answer in zip(refused, answers, strict=True)
        if _told(answer) != question.expected
    ]
    assert wrong == []
    assert len(refused) > 100


def _told(answer: Any) -> str:
    is_sign_in = answer.status_code == 401 or answer.headers.get("location", "").startswith("/desk/sign-in")
    return SIGN_IN if is_sign_in else str(answer.status_code)


def test_no_page_shows_anything_of_another_newsletter_or_a_readers_address(examples):
    pages = [
        question
        for question in examples.questions()
        if question.is_page
        and question.expected == IN
        and str(question.caller) in ("admin of morning", "viewer of all")
    ]
    answers = asked(examples.service.browser.app, pages)
    failed, leaking, seen = [], [], 0
    for question, answer in zip(pages, answers, strict=True):
        is_optional = question.route.endpoint.desk_access.scope in (AccessScope.OPEN, AccessScope.NOBODY)
        if answer.status_code not in ((200, 303, 404) if is_optional else (200, 303)):
            failed.append(f"{question}: {answer.status_code}")
        sees_all = question.caller.where == "all"
        seen += sees_all and FOREIGN in answer.text
        if PRIVATE in answer.text or (not sees_all and FOREIGN in answer.text):
            leaking.append(str(question))
    assert (failed, leaking) == ([], [])
    assert seen > 5
