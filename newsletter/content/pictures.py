"""Pictures: copies of the articles' lead pictures, kept under the hash of their content and shown from our own host.

A letter never points at a stranger's server, which would see who reads it and when. A picture that could not be copied
is not shown.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import String, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.content.articles import Article
from newsletter.content.fetching.destinations import FetchError
from newsletter.content.fetching.fetcher import Fetcher
from newsletter.content.parsing.image_size import measure
from newsletter.store.database import Base, Begin

MAX_BYTES = 2_000_000
SMALLEST, LARGEST = 100, 8000  # pixels; smaller is an icon, larger would choke a phone
RECENT = timedelta(days=30)
CONCURRENCY = 8  # pictures fetched at the same time


class Picture(Base):
    """An image file as it was found; the same file is kept once, however many articles show it."""

    __tablename__ = "pictures"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the body, in hexadecimal
    type: Mapped[str] = mapped_column(String(32))  # what the file is, whatever the server called it
    width: Mapped[int]
    height: Mapped[int]
    body: Mapped[bytes]
    found_at: Mapped[datetime]


def copy_new(begin: Begin, fetcher: Fetcher, *, now: datetime, limit: int = 20) -> int:
    """Copy the lead pictures of recent articles, the newest first, each tried once; returns how many were tried."""
    with begin() as session:
        wanted = _claim(session, now=now, limit=limit)
    with ThreadPoolExecutor(CONCURRENCY) as hands:  # no transaction is open here
        found = hands.map(partial(_fetch, fetcher, now), wanted.values())
        for article_id, picture in zip(wanted, found, strict=True):
            if picture:
                with begin() as session:
                    _keep(session, article_id, picture)
    return len(wanted)


def _claim(session: Session, *, now: datetime, limit: int) -> dict[int, str]:
    """Which article wants which picture. Trying is remembered before it is done: no picture can hold up the others."""
    untried = select(Article.id).where(Article.picture_url.is_not(None), Article.picture_tried_at.is_(None))
    recent = untried.where(Article.first_seen_at > now - RECENT).order_by(
        Article.published_at.desc(), Article.id.desc()
    )
    free = recent.limit(limit).with_for_update(skip_locked=True).cte("free")
    take = update(Article).where(Article.id == free.c.id).values(picture_tried_at=now)
    rows = session.execute(
        take.returning(Article.id, Article.picture_url), execution_options={"synchronize_session": False}
    )
    return {article_id: url for article_id, url in rows if url}


def _fetch(fetcher: Fetcher, now: datetime, url: str) -> Picture | None:
    try:
        body = fetcher.fetch(url, limit=MAX_BYTES).body
    except FetchError:
        return None
    found = measure(body) if body else None
    if body is None or found is None or found.width < SMALLEST or max(found.width, found.height) > LARGEST:
        return None
    sha256 = hashlib.sha256(body).hexdigest()
    return Picture(sha256=sha256, body=body, found_at=now, **found._asdict())


def _keep(session: Session, article_id: int, picture: Picture) -> None:
    if session.get(Picture, picture.sha256) is None:
        try:
            with session.begin_nested():
                session.add(picture)
        except IntegrityError:
            pass  # another worker has kept the same file meanwhile
    session.execute(update(Article).where(Article.id == article_id).values(picture_sha256=picture.sha256))
