"""Serve the site under a path, such as /letters of a host that shows other pages, too: ASGI middleware.

The routes know no such path. A proxy may pass it on or strip it, so a request without it is answered as well.
"""

import re

from starlette.types import ASGIApp, Receive, Scope, Send


class UnderPath:
    """Takes the site's path from the path of each request. It runs outside of Guards, which see /n/morning."""

    def __init__(self, app: ASGIApp, root: str) -> None:
        """Serve under `root`, such as "/letters"."""
        self.app = app
        self._root = re.compile("".join(f"/+{re.escape(name)}" for name in root.strip("/").split("/")) + "(?=/|$)")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with the path that the routes know."""
        if scope["type"] == "http" and (found := self._root.match(scope["path"])):
            path = scope["path"][found.end() :] or "/"
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await self.app(scope, receive, send)
