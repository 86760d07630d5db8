"""A bare route, to compare the sign-up page with: the same INSERT through the same Database, and nothing else.

It checks nothing, so it is no site: it takes every form for a consent to the benchmark's newsletter. Run it as
`uvicorn --factory newsletter.bench.bare_insert:create_app`.
"""

import os
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse

from newsletter import clock, settings
from newsletter.addresses import Address
from newsletter.bench import sample_issue
from newsletter.consent import signups, wordings
from newsletter.newsletters import named
from newsletter.store.database import Database

PATH = "/subscribe"  # as the site's


def create_app() -> FastAPI:
    """Return the application, on the database of the settings."""
    database = Database(settings.load(os.environ, dotenv=None).database)
    with database.reading() as session:
        newsletter = named(session, sample_issue.SLUG)
        wording = wordings.current(session, newsletter.id, newsletter.language)
    assert wording
    app = FastAPI(openapi_url=None)

    def insert(email: str, ip: str) -> None:
        with database.writing() as session:
            signups.receive(
                session,
                address=Address(email, email),
                fold_key="",
                newsletters=[newsletter.id],
                wording_id=wording.id,
                form=wording.form_exhibit,
                evidence={"method": "form on the web", "ip": ip},
                now=clock.now(),
            )

    @app.post(PATH)
    async def subscribe(request: Request) -> PlainTextResponse:
        email = parse_qs((await request.body()).decode())["email"][0]
        await run_in_threadpool(insert, email, request.headers["x-forwarded-for"])
        return PlainTextResponse("", 202)

    return app
