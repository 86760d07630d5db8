"""The walk through the desk: every page that its routes name, with an example of each object."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser
from sqlalchemy import select

from newsletter.bench.desk import routes
from newsletter.content.digests.digests import Digest
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues.issues import Issue
from newsletter.legal_pages.page_texts import LegalPage
from newsletter.links import Purpose
from newsletter.newsletters import Newsletter
from newsletter.operators.operator_links import OperatorLink
from newsletter.operators.operators import Operator
from newsletter.web.desk.frame import origin
from tests.browser.chromium import Tab, follow
from tests.browser.desk.contents import DeskState, fill
from tests.browser.reachable import reachable_service
from tests.whole_service import WholeService

# Forms with fields that anybody may fill in; the others are buttons that change what the walk goes on to look at.
FIELDS = "input:not([type=hidden]):not([type=radio]):not([type=checkbox]), textarea"
FORMS = f"main form[method=post]:has({FIELDS.replace(', ', '), main form[method=post]:has(')})"
SCRIPT = "<script>alert('a script in every field')</script>"
# Sends the form as a browser would that neither checks nor limits what is entered.
FILL_IN = """([number, selector, fields, text]) => {
    const form = document.querySelectorAll(selector)[number];
    for (const field of form.querySelectorAll(fields)) {
        field.removeAttribute("maxlength");
        if (["number", "date", "time", "datetime-local", "color"].includes(field.type)) field.type = "text";
        field.value = text;
    }
    form.noValidate = true;
}"""


# What no person opens by itself, and why.
PARTS = {
    "/desk/digests/runs": "a part of a page, as htmx asks for it",
    "/desk/box-previews/embed.js": "the script in the preview of the box",
    "/desk/box-previews/n/{slugs}/form": "what this script asks for",
}
FRAMED = "/preview/"  # in a path: a document in a frame, in which no script runs, axe-core neither


class DeskStop(NamedTuple):
    """A page that is shown now."""

    tab: Tab
    route: str
    path: str


@dataclass(frozen=True)
class DeskWalk:
    """The walk of an operator who has signed in, and of one who is about to and has yet to give a code."""

    operator: Tab
    visitor: Tab
    service: WholeService

    def stops(self) -> Iterator[DeskStop]:
        """Show one page after the other."""
        visited = routes.open_routes()
        for route, paths in pages(self.service).items():
            for path in paths:
                tab = self.visitor if route in visited else self.operator
                tab.open(path)
                yield DeskStop(tab, route, path)

    def refusals(self) -> Iterator[DeskStop]:
        """Fill a script into every field of every form, send it, and show the answer."""
        for tab, route, path in self.stops():
            for number in range(tab.page.locator(FORMS).count()):
                tab.open(path)
                tab.page.evaluate(FILL_IN, [number, FORMS, FIELDS, SCRIPT])
                follow(tab.page.locator(FORMS).nth(number).locator("button").first)
                yield DeskStop(tab, route, f"{path}, form {number + 1}")


@contextmanager
def walking(chromium: Browser, template: Path, folder: Path, state: DeskState) -> Iterator[DeskWalk]:
    """Begin a walk through a desk in this state, on a copy of a migrated database."""
    with reachable_service(template, folder) as service:
        tokens = fill(service, state)
        operator, visitor = (signed_in(Tab(chromium, service.site.settings.base_url, "en"), token) for token in tokens)
        yield DeskWalk(operator, visitor, service)
        operator.close()
        visitor.close()


def signed_in(tab: Tab, token: str) -> Tab:
    """Give the tab the cookie of a session."""
    tab.context.add_cookies([{"name": origin.SESSION, "value": token, "url": tab.base_url}])
    return tab


def pages(service: WholeService) -> dict[str, list[str]]:
    """Return the paths of the desk's pages by route, for the objects of the service."""
    columns = {
        "slug": Newsletter.slug,
        "issue_id": Issue.id,
        "feed_id": Feed.id,
        "digest_id": Digest.id,
        "operator_id": Operator.id,
    }
    with service.site.database.reading() as session:
        examples = {name: [str(value) for value in session.scalars(select(column))] for name, column in columns.items()}
        links = session.scalars(select(OperatorLink.id)).all()
    examples["slugs"] = [*examples["slug"][:1], *([",".join(examples["slug"])] if len(examples["slug"]) > 1 else [])]
    examples["token"] = [service.site.links.token(Purpose.OPERATOR_LINK, number) for number in links]
    examples["language"], examples["page"] = ["en"], list(LegalPage)
    examples["part"] = ["light", "dark", "without-pictures", "text"]
    found, unknown = routes.pages(examples)
    assert not unknown, f"no example for {unknown}"
    return {route: paths[: _limit(route)] for route, paths in found.items() if is_page(route)}


def is_page(route: str) -> bool:
    """Whether a route shows a page to somebody who opens it."""
    return route not in PARTS and FRAMED not in route


def _limit(route: str) -> int | None:
    """Return how many objects of a kind are shown on a route: issues in every status, of others the first ones."""
    if route.endswith("/{issue_id}"):
        return None
    return 4 if route.endswith("}") else 2
