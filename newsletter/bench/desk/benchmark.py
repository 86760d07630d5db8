"""The desk benchmark: every page of the desk, asked for by somebody who may see everything in a large service."""

import gzip
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from newsletter import audit_log, clock, web
from newsletter.bench import costs
from newsletter.bench.desk import measures, routes
from newsletter.bench.desk.measures import DeskBrowser
from newsletter.bench.desk.rows import DeskRows
from newsletter.bench.environment import BASE_URL, BenchEnvironment
from newsletter.bench.report import ProgressOutput
from newsletter.bench.signups import service
from newsletter.consent.counts.day_counts import DayCounter
from newsletter.keys import load_keyring
from newsletter.links import Links
from newsletter.mail.delivery.delivery_counts import DeliveryCounter
from newsletter.operators import operator_links, operators, sessions
from newsletter.operators.operator_links import LinkPurpose
from newsletter.operators.roles import Role
from newsletter.operators.sessions import SessionStage

SITE = "newsletter.bench.desk.counted_site:create_app"
COOKIE = "__Host-desk"
STATIC = Path(web.__file__).parent / "static"
SCRIPTS = "desk.js", "htmx.js"  # of the desk's pages


@dataclass(frozen=True)
class DeskBenchOptions:
    """The command line's options; the field names are JSON keys of the report."""

    subscribers: int = 1_000_000
    deliveries: int = 5_000_000
    issues: int = 200
    articles: int = 20_000
    acts: int = 100_000
    requests: int = 200  # for each page


class DeskBenchmark:
    """One run of the benchmark."""

    def __init__(self, environment: BenchEnvironment, options: DeskBenchOptions, progress: ProgressOutput) -> None:
        self._environment = environment
        self._options = options
        self._progress = progress

    def run(self) -> dict[str, Any]:
        """Insert the rows, ask for each page and return the figures under stable names."""
        token, settings = self._prepare(), self._environment.settings
        links = Links(load_keyring(settings), settings.base_url)
        with self._environment.database.reading() as session:
            asked, unknown = routes.pages(routes.examples(session, links))
        pages = []
        with self._browsers(token) as (operator, visitor), self._progress.step("asking for each page") as show:
            visited = routes.open_routes()
            every = [(route, path) for route, paths in asked.items() for path in paths]
            for number, (route, path) in enumerate(every):
                show(number, len(every))
                browser = visitor if route in visited else operator
                figures = measures.measured(browser, path, requests=self._options.requests)
                pages.append({"route": route, **figures})
        for page in pages:
            page["exceeded"] = measures.exceeded_limits(page)
        scripts = {name: len(gzip.compress((STATIC / name).read_bytes())) for name in SCRIPTS}
        return {
            "pages": pages,
            "not_measured": unknown,
            "exceeded": sum(bool(page["exceeded"]) for page in pages),
            "script_bytes": scripts,
            "given": asdict(self._options),
            "machine": costs.machine(self._environment.home),
            "postgresql": self._environment.server_version().partition(" ")[0],
        }

    def _prepare(self) -> str:
        """Insert everything; return the token of an operator's session."""
        options, now = self._options, clock.now()
        rows = DeskRows(options.subscribers, options.deliveries, options.issues, options.articles, options.acts, now)
        rows.insert(self._environment.database, lambda what: self._progress.line(f"inserting {what}"))
        self._count()
        with self._environment.database.writing() as session:
            actor = audit_log.system_user()
            operator = operators.add(session, "admin@bench.example", role=Role.ADMIN, actor=actor, now=now)
            operator_links.make(session, operator, LinkPurpose.INVITATION, actor=actor, now=now)
            token = sessions.begin(session, operator.id, device="Bench", stage=SessionStage.FULL, now=now)
        self._environment.vacuum()
        return token

    def _count(self) -> None:
        """Count what the workers count, until nothing is left to count."""
        database = self._environment.database
        for what, counter in (("deliveries", DeliveryCounter()), ("readers", DayCounter())):
            self._progress.line(f"counting {what}")
            while counter.count(database.reading, database.writing, now=clock.now()):
                pass

    @contextmanager
    def _browsers(self, token: str) -> Iterator[tuple[DeskBrowser, DeskBrowser]]:
        """Run the site; yield the browser of the operator, and of somebody who has not signed in."""
        host = urlsplit(BASE_URL).netloc
        with (
            service.running_site(self._environment, "site", SITE, processes=1, environ={}) as site,
            closing(DeskBrowser(site.port, host, f"{COOKIE}={token}")) as operator,
            closing(DeskBrowser(site.port, host, "")) as visitor,
        ):
            yield operator, visitor
