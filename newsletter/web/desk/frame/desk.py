"""One request at the desk: who sent it, and how its answers look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from newsletter.newsletters import Newsletter, common_publisher
from newsletter.operators.roles import Role
from newsletter.web.desk.frame import forms, origin
from newsletter.web.desk.frame.signed_in import SignedIn
from newsletter.web.site import Site

NOTICE = "done"  # the query parameter that names a page's notice


class Department(NamedTuple):
    """An entry of the navigation."""

    name: str
    path: str  # of its first page
    role: Role = Role.VIEWER  # that an operator must have somewhere to see it
    of_service: bool = False  # whether the role must be held for all newsletters


@dataclass(frozen=True)
class Desk:
    """A request that its guard has let in."""

    request: Request
    site: Site
    who: SignedIn | None  # None only on pages that are open to everybody
    named: Sequence[Newsletter] = ()  # on a page: the newsletters of what its path names, in the session of the request

    @property
    def operator(self) -> SignedIn:
        """Who has signed in."""
        assert self.who
        return self.who

    @property
    def newsletter(self) -> Newsletter:
        """The newsletter of what the path of a page names, the first of several."""
        return self.named[0]

    def page(
        self,
        name: str,
        *,
        status: int | None = None,
        errors: Mapping[str, Any] | None = None,
        notices: Mapping[str, str] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """Render a template of templates/desk.

        `errors` say what is wrong in which field of a form: a page with any answers 422 unless `status` is another.
        `notices` are the sentences that the page may show on top after an action, by the key that `done` was given.
        """
        visit = origin.read_cookie(self.request, self.site, origin.VISIT)
        is_new, visit = not visit, visit or forms.new_visit()
        notice = (notices or {}).get(self.request.query_params.get(NOTICE, ""))
        frame = {
            "who": self.who,
            "departments": self._departments(),
            "path": self.request.url.path,
            "form_token": forms.hidden_field(self.site, visit, self.who.operator_id if self.who else 0),
            "now": self.site.now(),
            "publisher": context["publisher"] if "publisher" in context else self.publisher(),
            "notice": notice,
            "errors": errors or {},
        }
        template = self.site.templates("en").get_template(f"desk/{name}.html")
        response = HTMLResponse(template.render(**(frame | context)), status or (422 if errors else 200))
        if is_new:
            origin.set_cookie(response, self.site, origin.VISIT, visit, seconds=origin.VISIT_SECONDS)
        return response

    def done(self, path: str, notice: str | None = None, **query: str) -> RedirectResponse:
        """Lead to a page after an action, so that a reload repeats nothing; the page shows the notice of this key."""
        query = {**query, **({NOTICE: notice} if notice else {})}
        return RedirectResponse(f"/desk{path}{'?' if query else ''}{urlencode(query)}", 303)

    def publisher(self) -> str | None:
        """Return the publisher of all newsletters, None if they have several or there is none."""
        if self.who:
            return self.who.publisher
        return common_publisher(self.site.offered.get().newsletters.values())

    def _departments(self) -> list[Department]:
        if self.who is None:
            return []
        grants = self.who.grants
        every: list[Department] = self.request.app.state.departments
        return [each for each in every if (grants.may if each.of_service else grants.may_somewhere)(each.role)]


async def current_desk(request: Request) -> Desk:
    """Return the request's desk, which the route's guard has set."""
    desk: Desk = request.state.desk
    return desk


CurrentDesk = Annotated[Desk, Depends(current_desk)]
