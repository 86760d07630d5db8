"""The walk through the desk: every page that its routes name, with an example of each object."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.bench.desk import routes
from newsletter.content.digests.digests import Digest
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues.issues import Issue
from newsletter.newsletters import Newsletter
from newsletter.operators.operators import Operator
from newsletter.web.desk.frame import origin
from tests.browser.chromium import Tab
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
        if (["number", "date", "time", "datetime-local"].includes(field.type)) field.type = "text";
        field.value = text;
    }
    form.noValidate = true;
}"""


@dataclass(frozen=True)
class DeskWalk:
    """The walk of an operator who has signed in."""

    tab: Tab
    service: WholeService

    def stops(self) -> Iterator[tuple[str, str]]:
        """Show one page after the other; yield the route of each, and its path."""
        with self.service.site.database.reading() as session:
            asked, unknown = routes.pages(examples(session))
        assert not unknown, f"no example for {unknown}"
        for route, paths in asked.items():
            for path in paths:
                self.tab.open(path)
                yield route, path

    def refusals(self) -> Iterator[tuple[str, str]]:
        """Fill a script into every field of every form, send it, and show the answer."""
        for route, path in self.stops():
            for number in range(self.tab.page.locator(FORMS).count()):
                self.tab.open(path)
                self.tab.page.evaluate(FILL_IN, [number, FORMS, FIELDS, SCRIPT])
                with self.tab.page.expect_navigation():
                    self.tab.page.locator(FORMS).nth(number).locator("button").first.click()
                yield route, f"{path}, form {number + 1}"


def signed_in(tab: Tab, service: WholeService, token: str) -> Tab:
    """Give the tab the cookie of a session."""
    url = service.site.settings.base_url
    tab.context.add_cookies([{"name": origin.SESSION, "value": token, "url": url}])
    return tab


def examples(session: Session) -> dict[str, list[str]]:
    """Return every object of the service, by the name of the parameter that stands for it in a path."""
    columns = {
        "slug": Newsletter.slug,
        "issue_id": Issue.id,
        "feed_id": Feed.id,
        "digest_id": Digest.id,
        "operator_id": Operator.id,
    }
    return {name: [str(value) for value in session.scalars(select(column))] for name, column in columns.items()} | {
        "language": ["en"],
    }
