"""The site, whose every answer also tells how many statements it needed.

Run it as `uvicorn --factory newsletter.bench.desk.counted_site:create_app`.
"""

from contextvars import ContextVar
from typing import Any

from fastapi import FastAPI
from sqlalchemy import event
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsletter import web
from newsletter.store.database import Database

HEADER = "bench-statements"

# A request's own number, in a list: the threads of its endpoint get a copy of the context, which shares the list.
_counted: ContextVar[list[int] | None] = ContextVar("counted", default=None)


def create_app() -> FastAPI:
    """Return the site's application with the settings of the environment."""
    app = web.create_app()
    database: Database = app.state.site.database
    event.listen(database.engine, "before_cursor_execute", _count)
    app.add_middleware(StatementHeader)
    return app


def _count(*_: Any) -> None:
    counted = _counted.get()
    if counted is not None:
        counted[0] += 1


class StatementHeader:
    """Adds the number of a request's statements to the header of its answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        counted = [0]
        _counted.set(counted)

        async def with_number(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = str(counted[0])
            await send(message)

        await self.app(scope, receive, with_number)
