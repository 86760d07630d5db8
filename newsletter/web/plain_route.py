"""A route without FastAPI's dependencies, for an endpoint whose cost matters."""

from starlette.routing import Match, Route
from starlette.types import Scope


class PlainRoute(Route):
    """A route of Starlette that says which route matched, as FastAPI's do: the access log names it."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return how well the request matches, and what to add to its scope."""
        match, found = super().matches(scope)
        return match, {**found, "route": self} if found else found
