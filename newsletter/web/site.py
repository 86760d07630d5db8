"""The objects that all pages share, built once at startup, and the dependencies that give them to endpoints."""

import asyncio
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Row
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from sqlalchemy.orm import Session

from newsletter import templating
from newsletter.consent.ledger.ledger import Trace
from newsletter.consent.signups.confirmation_links import AskedNewsletter
from newsletter.consent.signups.signups import FORM_COLUMNS, Signup
from newsletter.keys import Keyring, load_keyring
from newsletter.languages import catalogues
from newsletter.languages.languages import language
from newsletter.links import Links
from newsletter.mail.transport.relay_capabilities import take_utf8
from newsletter.newsletters import Newsletter, common_publisher, publisher_sites
from newsletter.operators.openid.provider import OpenIdProvider
from newsletter.operators.passwords import Passwords
from newsletter.operators.session_activity import SessionActivity
from newsletter.plain_text import shortened
from newsletter.queues.wakeups import Wakeups
from newsletter.settings import Settings
from newsletter.store.database import Database
from newsletter.store.grouped_inserts import GroupedInserts
from newsletter.templating import Templates
from newsletter.web.public.offered_newsletters import OfferedNewslettersCache

ShownNewsletter = Newsletter | AskedNewsletter | Row[Any]  # each has the columns that every page shows

MAX_USER_AGENT_CHARACTERS = 300  # that are stored
STORE_SECONDS = 30.0  # that a visitor waits for the database at most; as long as SQLite waits for another writer


def _provider(settings: Settings) -> OpenIdProvider | None:
    issuer, client_id = settings.oidc_issuer, settings.oidc_client_id
    if not issuer or not client_id:
        return None
    return OpenIdProvider(issuer, client_id, settings.oidc_client_secret, name=settings.oidc_name)


@dataclass(frozen=True)
class Site:
    """Everything that the pages of one web process share."""

    settings: Settings
    database: Database
    keyring: Keyring
    links: Links
    wakeups: Wakeups
    offered: OfferedNewslettersCache
    signups: GroupedInserts
    activity: SessionActivity
    provider: OpenIdProvider | None = None  # with which operators may sign in
    passwords: Passwords = field(default_factory=Passwords)
    templates: Templates = templating.environment
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @classmethod
    def build(cls, settings: Settings, wakeups: Wakeups, database: Database | None = None) -> "Site":
        """Build the site from the settings, on their database unless another one is given."""
        keys, database = load_keyring(settings), database or Database(settings.database)
        offered = OfferedNewslettersCache(
            database, can_reach_utf8=lambda session: take_utf8(session, settings.smtp_url, now=datetime.now(UTC))
        )
        links = Links(keys, settings.base_url, settings.desk_url)
        stored, activity = GroupedInserts(database, Signup, FORM_COLUMNS), SessionActivity(database)
        return cls(settings, database, keys, links, wakeups, offered, stored, activity, _provider(settings))

    @property
    def root(self) -> str:
        """The path under which the site lives, before the path of every page: "/letters", or ""."""
        return self.settings.base_path

    @property
    def shows_outbox(self) -> bool:
        """Whether the site shows its outbox: no mail server is set, and only this machine can reach the site."""
        return not self.settings.smtp_url and self.settings.is_local

    async def store_signup(self, row: Mapping[str, Any]) -> None:
        """Insert the row of a sign-up; return once it is committed. Raises the database's errors."""
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await asyncio.wrap_future(self.signups.insert(row))
        except TimeoutError as error:
            raise NoConnectionLeft("The database did not answer in time.") from error

    def page(
        self,
        name: str,
        *,
        tag: str = catalogues.DEFAULT,
        negotiated: bool = False,
        status: int = 200,
        newsletter: ShownNewsletter | None = None,
        among: Collection[Newsletter] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """Render a page of templates/pages in the language of a tag; English if no catalogue suits it.

        `negotiated`: the visitor's Accept-Language had a say in the language, so caches keep one page for each. It does
        the same for the pages that this one links to; else they are told by `query`.

        A page that is not about one newsletter names the publisher that those `among` which it stands have in common,
        and links the sites of all of them; these are all newsletters, unless it says otherwise.
        """
        if newsletter is None and among is None:
            among = self.offered.known().values()
        publisher = newsletter.publisher if newsletter else common_publisher(among or ())
        sites = publisher_sites([newsletter] if newsletter else among or ())
        template = self.templates(tag).get_template(f"pages/{name}.html")
        headers = {"Content-Language": language(tag).tag, **({"Vary": "Accept-Language"} if negotiated else {})}
        carried = {"publisher": publisher, "publisher_sites": sites, "newsletter": newsletter}
        context = {"root": self.root, "query": "" if negotiated else _query(newsletter, tag), **carried, **context}
        return HTMLResponse(template.render(context), status, headers)


def _query(newsletter: ShownNewsletter | None, tag: str) -> str:
    """Return what links to other pages end with, where another language than this one could be shown there."""
    return f"?language={tag}" if newsletter and newsletter.other_languages else ""


async def current_site(request: Request) -> Site:
    """Return the site of a request. Async, although it waits for nothing: FastAPI calls others in a thread."""
    site: Site = request.app.state.site
    return site


CurrentSite = Annotated[Site, Depends(current_site)]


def reading(site: CurrentSite) -> Iterator[Session]:
    """Yield a session for GET and HEAD, in which the database refuses writes."""
    with site.database.reading() as session:
        yield session


def writing(site: CurrentSite) -> Iterator[Session]:
    """Yield a session for POST. It commits before the response is sent, so no commit fails after a 200."""
    with site.database.writing() as session:
        yield session


ReadingSession = Annotated[Session, Depends(reading, scope="function")]
WritingSession = Annotated[Session, Depends(writing, scope="function")]


async def request_trace(request: Request, site: CurrentSite) -> Trace:
    """Return a request's trace; its address is the client that trusted proxies name (X-Forwarded-For), or the peer."""
    user_agent = shortened(request.headers.get("user-agent", ""), MAX_USER_AGENT_CHARACTERS)
    return Trace(ip=_client(request, site), user_agent=user_agent or None)


RequestTrace = Annotated[Trace, Depends(request_trace)]


def _client(request: Request, site: Site) -> str | None:
    # Several header lines are one list: a proxy may add a line instead of extending the last one. Read from the right,
    # for only the entries that trusted proxies appended can be believed.
    hops = [hop for line in request.headers.getlist("x-forwarded-for") for hop in line.split(",")]
    peer = _address(request.client.host) if request.client else None
    while hops and peer and any(peer in network for network in site.settings.trusted_proxies):
        peer = _address(hops.pop())
    return str(peer) if peer else None


def _address(hop: str) -> IPv4Address | IPv6Address | None:
    """Parse an IP address as proxies write it: bare, with a port, or in brackets. None if it is none.

    IPv4 in IPv6 notation (RFC 4291 section 2.5.5.2), as a socket for both writes it, is IPv4.
    """
    parsed = re.fullmatch(r"\s*(?:\[([^\]]*)\](?::\d+)?|([^:]*):\d+|(.*?))\s*", hop)
    try:
        found = ip_address(next(part for part in parsed.groups() if part is not None)) if parsed else None
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
