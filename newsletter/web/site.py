"""What every page of one site shares, made once at the start and handed to each request."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment
from sqlalchemy.orm import Session

from newsletter import templating
from newsletter.consent.ledger import Trace
from newsletter.keys import Keyring, keyring
from newsletter.links import Links
from newsletter.newsletters import Newsletter
from newsletter.queues.wakeups import Wakeups
from newsletter.settings import Settings
from newsletter.store.database import Database
from newsletter.web.public.offered_newsletters import OfferedNewslettersCache


@dataclass(frozen=True)
class Site:
    """The web process's composition: what the pages are made of and act on."""

    settings: Settings
    database: Database
    keyring: Keyring
    links: Links
    wakeups: Wakeups
    catalogue: OfferedNewslettersCache
    templates: Environment = field(default_factory=templating.environment)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @classmethod
    def build(cls, settings: Settings, wakeups: Wakeups, database: Database | None = None) -> "Site":
        """The site that the settings describe, on their database unless another one is given."""
        keys, database = keyring(settings), database or Database(settings.database)
        return cls(settings, database, keys, Links(keys, settings.base_url), wakeups, OfferedNewslettersCache(database))

    @property
    def shows_outbox(self) -> bool:
        """Whether letters lie where the site's mail reader finds them, and only this machine can look."""
        return not self.settings.smtp_url and self.settings.is_local

    def page(
        self, name: str, *, status: int = 200, newsletter: Newsletter | None = None, **context: Any
    ) -> HTMLResponse:
        """A rendered page of templates/pages."""
        publisher = context.pop("publisher", newsletter.publisher if newsletter else None)
        template = self.templates.get_template(f"pages/{name}.html")
        return HTMLResponse(template.render(publisher=publisher, newsletter=newsletter, **context), status)


def site(request: Request) -> Site:
    """The site that a request came to."""
    found: Site = request.app.state.site
    return found


Here = Annotated[Site, Depends(site)]


def reading(here: Here) -> Iterator[Session]:
    """A session for GET and HEAD: the database refuses to write in it."""
    with here.database.reading() as session:
        yield session


def writing(here: Here) -> Iterator[Session]:
    """A session for POST. It commits before the answer leaves, so a 200 is never followed by a failed commit."""
    with here.database.writing() as session:
        yield session


Reading = Annotated[Session, Depends(reading, scope="function")]
Writing = Annotated[Session, Depends(writing, scope="function")]


def trace(request: Request, here: Here) -> Trace:
    """Where a request came from: the peer, or what a trusted proxy says of it (X-Forwarded-For, from the right)."""
    return Trace(ip=_client(request, here), user_agent=request.headers.get("user-agent", "")[:300] or None)


Origin = Annotated[Trace, Depends(trace)]


def _client(request: Request, here: Site) -> str | None:
    # A proxy may append a header line of its own instead of a word to the last one: the lines are one list.
    hops = [hop for line in request.headers.getlist("x-forwarded-for") for hop in line.split(",")]
    peer = _address(request.client.host) if request.client else None
    while hops and peer and any(peer in network for network in here.settings.trusted_proxies):
        peer = _address(hops.pop())
    return str(peer) if peer else None


def _address(hop: str) -> IPv4Address | IPv6Address | None:
    """A machine's address as proxies write it: bare, with a port, or in brackets."""
    bare = re.fullmatch(r"\s*(?:\[([^\]]*)\](?::\d+)?|([^:]*):\d+|(.*?))\s*", hop)
    try:
        return ip_address(next(part for part in bare.groups() if part is not None)) if bare else None
    except ValueError:
        return None
