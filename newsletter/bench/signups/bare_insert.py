"""A bare route, to compare the sign-up page with: the same INSERT through the same Database, and nothing else.

It checks nothing, so it is no site: it takes every form for a consent to the benchmark's newsletter. Run it as
`uvicorn --factory newsletter.bench.signups.bare_insert:create_app`.
"""

import os
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse
from sqlalchemy import insert

from newsletter import addresses, clock, settings
from newsletter.addresses import Address
from newsletter.bench import sample_issue
from newsletter.consent.evidence_terms import EvidenceField, EvidenceTerm
from newsletter.consent.signups import signups
from newsletter.consent.signups.signups import Signup
from newsletter.consent.wordings import wordings
from newsletter.keys import load_keyring
from newsletter.newsletters import named
from newsletter.store.database import Database


def create_app() -> FastAPI:
    """Return the application, on the database of the settings."""
    configured = settings.load(os.environ, dotenv=None)
    database, keyring = Database(configured.database), load_keyring(configured)
    with database.reading() as session:
        newsletter = named(session, sample_issue.SLUG)
        wording = wordings.current(session, newsletter.id, newsletter.language)
    assert wording
    number, form, statement = wording.id, wording.form_exhibit, insert(Signup)
    app = FastAPI(openapi_url=None)

    def store(email: str, ip: str) -> None:
        row = signups.values(
            address=Address(email, email),
            fold_key=addresses.fold(keyring, email),
            newsletters=[newsletter.id],
            wording_id=number,
            form=form,
            evidence={EvidenceField.METHOD: EvidenceTerm.FORM_ON_THE_WEB, EvidenceField.IP: ip},
            now=clock.now(),
        )
        with database.autocommit() as connection:
            connection.execute(statement, row)

    @app.post("/subscribe")
    async def subscribe(request: Request) -> PlainTextResponse:
        email = parse_qs((await request.body()).decode())["email"][0]
        await run_in_threadpool(store, email, request.headers["x-forwarded-for"])
        return PlainTextResponse("", 202)

    return app
