"""Which operators may open which page: every route of the desk declares a role, and where the role must be held.

The guard of a route runs before its endpoint. A page about a newsletter, issue, feed or digest that the operator may
not see answers as one that does not exist.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.content.digests.digests import Digest
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues.issues import Issue
from newsletter.errors import NotFound, Refused
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.web import whole_numbers
from newsletter.web.desk.frame import origin
from newsletter.web.desk.frame.desk import Desk
from newsletter.web.desk.frame.forms import PostedForm
from newsletter.web.desk.frame.refusals import NotSignedIn, OtherOperator, RoleMissing
from newsletter.web.desk.frame.signed_in import SignedIn, signed_in
from newsletter.web.form_data import FormData
from newsletter.web.guards import FORM_BODY_BYTES, NO_REFERRER, SAME_ORIGIN, route_rules
from newsletter.web.site import CurrentSite, ReadingSession, Site

DeskEndpoint = TypeVar("DeskEndpoint", bound=Callable[..., Any])


class AccessScope(StrEnum):
    """Where an operator must have a route's role."""

    NEWSLETTER = "newsletter"  # for the newsletter of the object that the path names, or for each of several
    SOMEWHERE = "somewhere"  # for at least one newsletter; the page shows only what belongs to such newsletters
    SERVICE = "service"  # for all newsletters
    NOBODY = "nobody"  # no role: everybody who has signed in, about themselves
    OPEN = "open"  # also who has not signed in


class Access(NamedTuple):
    """What a route requires."""

    role: Role
    scope: AccessScope


# What belongs to a newsletter, by the path parameter that holds its id.
OWNED: Mapping[str, type[Issue | Feed | Digest]] = {"issue_id": Issue, "feed_id": Feed, "digest_id": Digest}
NAMES = {"slug", "slugs", *OWNED}  # the path parameters that name a newsletter; "slugs" several, separated by commas
NOTHING_HERE = "There is nothing here that you may see. Perhaps it was removed."


class DeskRouter(APIRouter):
    """A router whose routes say who may use them."""

    def page(
        self, path: str, role: Role, scope: AccessScope = AccessScope.NEWSLETTER
    ) -> Callable[[DeskEndpoint], DeskEndpoint]:
        """Decorate the endpoint of a page: GET, which never writes."""
        return self._route("GET", path, Access(role, scope))

    def action(
        self,
        path: str,
        role: Role,
        scope: AccessScope = AccessScope.NEWSLETTER,
        *,
        body_limit: int = FORM_BODY_BYTES,
    ) -> Callable[[DeskEndpoint], DeskEndpoint]:
        """Decorate the endpoint of a form: POST, of our own pages only."""
        return self._route("POST", path, Access(role, scope), body_limit)

    def _route(
        self, method: str, path: str, access: Access, body_limit: int = 0
    ) -> Callable[[DeskEndpoint], DeskEndpoint]:
        guard = _guard_of_action(access) if method == "POST" else _guard_of_page(access)

        def declare(endpoint: DeskEndpoint) -> DeskEndpoint:
            endpoint.desk_access = access  # type: ignore[attr-defined]
            # What a token opens tells nobody its address, although a browser then sends `Origin: null` with its form.
            referrer = NO_REFERRER if "{token}" in path else SAME_ORIGIN
            route_rules(body_limit=body_limit, scripts=True, referrer=referrer)(endpoint)
            self.add_api_route(
                f"/desk{path}", endpoint, methods=[method], dependencies=[Depends(guard)], response_model=None
            )
            return endpoint

        return declare


def routes_of(router: APIRouter) -> Iterator[APIRoute]:
    """Yield the routes of a router and of those that it includes."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            yield route
        elif included := getattr(route, "original_router", None):
            yield from routes_of(included)


def _guard_of_page(access: Access) -> Callable[..., None]:
    def guard(request: Request, site: CurrentSite, session: ReadingSession) -> None:
        _enter(request, site, session, access, None)

    return guard


def _guard_of_action(access: Access) -> Callable[..., None]:
    def guard(request: Request, site: CurrentSite, form: PostedForm) -> None:
        with site.database.reading() as session:
            _enter(request, site, session, access, form)

    return guard


def _enter(request: Request, site: Site, session: Session, access: Access, form: FormData | None) -> None:
    """Let the request in, and note who sent it; raises what the answer is otherwise."""
    if why := site.settings.desk_problem:
        raise Refused(why)
    who, named = signed_in(session, site, origin.read_cookie(request, site, origin.SESSION)), []
    if access.scope is not AccessScope.OPEN:
        if who is None:
            raise NotSignedIn(form, getattr(request.state, "form_of", 0))
        if form is not None and request.state.form_of != who.operator_id:
            raise OtherOperator
        named = _check(session, who, access, request.path_params)
    is_automatic = "hx-request" in request.headers  # a page that asks every two seconds keeps no session alive
    if who is not None and not is_automatic and who.is_use_due(now=site.now()):
        site.activity.note(who.session_id, now=site.now())
    # An action reads it again, in the transaction that changes something.
    request.state.desk = Desk(request, site, who, named if form is None else [])


def _check(session: Session, who: SignedIn, access: Access, parameters: Mapping[str, Any]) -> list[Newsletter]:
    """Return the newsletters of what the path names."""
    named: list[Newsletter] = []
    if access.scope is AccessScope.NEWSLETTER:
        named = _named(session, parameters)
        if not named or not all(who.may(Role.VIEWER, each.id) for each in named):
            raise NotFound(NOTHING_HERE)
        is_allowed = all(who.may(access.role, each.id) for each in named)
    elif access.scope is AccessScope.SOMEWHERE:
        is_allowed = who.grants.may_somewhere(access.role)
    else:
        is_allowed = access.scope is AccessScope.NOBODY or who.may(access.role)
    if not is_allowed:
        raise RoleMissing
    return named


def _named(session: Session, parameters: Mapping[str, Any]) -> list[Newsletter]:
    """Return the newsletters of what the path names; none if there is no such object, or not each of several."""
    (name,) = NAMES & parameters.keys()  # a route of this scope has exactly one
    value = str(parameters[name])
    if name in OWNED:
        return _owner(session, OWNED[name], value)
    slugs = list(dict.fromkeys(value.split(",") if name == "slugs" else [value]))
    if not all(map(newsletters.SLUG.fullmatch, slugs)):
        return []
    found = session.scalars(select(Newsletter).where(Newsletter.slug.in_(slugs))).all()
    return sorted(found, key=lambda each: slugs.index(each.slug)) if len(found) == len(slugs) else []


def _owner(session: Session, kind: type[Issue | Feed | Digest], value: str) -> list[Newsletter]:
    number = whole_numbers.parse(value)
    if number is None:
        return []
    return list(
        session.scalars(select(Newsletter).join(kind, kind.newsletter_id == Newsletter.id).where(kind.id == number))
    )
