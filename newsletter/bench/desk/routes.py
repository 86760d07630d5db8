"""The desk's pages, enumerated from its routes, each with examples of the objects that it shows."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.bench import sample_issue
from newsletter.content.digests.digests import Digest
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.legal_pages.page_texts import LegalPage
from newsletter.links import Links, Purpose
from newsletter.operators.operators import Operator
from newsletter.web.desk.frame.access import Access, AccessScope
from newsletter.web.desk.pages import PAGES

PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
SHOWN_STATES = (IssueStatus.DRAFTED, IssueStatus.APPROVED, IssueStatus.SENDING, IssueStatus.PAUSED, IssueStatus.SENT)
# They lead to the provider that the settings name, and back from there: they show nothing without one.
OF_PROVIDER = ("/desk/sign-in/provider", "/desk/sign-in/provider/callback", "/desk/account/identities/new")


def routes() -> list[str]:
    """Return the paths of the desk's pages, with their parameters in braces."""
    return sorted(path for path, _ in _found())


def open_routes() -> set[str]:
    """Return the paths of the pages that are for people who have not signed in."""
    return {path for path, access in _found() if access.scope is AccessScope.OPEN}


def _found() -> set[tuple[str, Access]]:
    found = {each for page in PAGES for each in _pages(page.router.routes)}
    return {(path, access) for path, access in found if path not in OF_PROVIDER}


def _pages(found: Sequence[Any]) -> Iterator[tuple[str, Access]]:
    for route in found:
        if included := getattr(route, "original_router", None):
            yield from _pages(included.routes)
        elif "GET" in (route.methods or ()):
            yield str(route.path), route.endpoint.desk_access


def examples(session: Session, links: Links) -> dict[str, list[str]]:
    """Return example values of the parameters in paths, by name; of issues one in each state."""
    newest = (
        session.scalar(select(Issue.id).where(Issue.status == state).order_by(Issue.id.desc()).limit(1))
        for state in SHOWN_STATES
    )
    return {
        "slug": [sample_issue.SLUG],
        "slugs": [sample_issue.SLUG],
        "issue_id": [str(number) for number in newest if number],
        "feed_id": [str(session.scalars(select(Feed.id).order_by(Feed.id).limit(1)).one())],
        "digest_id": [str(session.scalars(select(Digest.id).order_by(Digest.id).limit(1)).one())],
        "operator_id": [str(session.scalars(select(Operator.id).order_by(Operator.id).limit(1)).one())],
        "language": ["en"],
        "page": [str(page) for page in LegalPage],
        "part": ["light", "dark", "without-pictures", "text"],
        "token": [links.token(Purpose.OPERATOR_LINK, 1)],
    }


def pages(known: Mapping[str, Sequence[str]]) -> tuple[dict[str, list[str]], list[str]]:
    """Return the paths to ask for by route, and the routes with a parameter without an example."""
    asked: dict[str, list[str]] = {}
    unknown = []
    for route in routes():
        names = PARAMETER.findall(route)
        if all(name in known for name in names):
            values = product(*(known[name] for name in names))
            asked[route] = [_filled(route, dict(zip(names, each, strict=True))) for each in values]
        else:
            unknown.append(route)
    return asked, unknown


def _filled(route: str, values: Mapping[str, str]) -> str:
    return PARAMETER.sub(lambda found: values[found[1]], route)
