"""Pictures: copies of the articles' lead pictures, stored under the hash of their content and served by our own host.

A letter never loads a picture from somebody else's server, which would see who reads it and when. A picture that could
not be copied is not shown.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import String, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.content.articles import Article
from newsletter.content.downloading.downloader import Downloader
from newsletter.errors import NewsletterError
from newsletter.store.database import Base, Begin

MIN_WIDTH, MAX_SIDE = 100, 8000  # pixels; a narrower image is an icon, a larger one needs too much memory on a phone
MAX_AGE = timedelta(days=30)  # of an article whose picture is still copied
CONCURRENCY = 8  # pictures fetched at the same time


class Picture(Base):
    """An image file, unchanged; the same file is stored once, however many articles show it."""

    __tablename__ = "pictures"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the body, in hexadecimal
    type: Mapped[str] = mapped_column(String(32))  # from the file itself, not from the server's Content-Type
    width: Mapped[int]
    height: Mapped[int]
    body: Mapped[bytes]
    found_at: Mapped[datetime]


def copy_new(begin: Begin, downloader: Downloader, *, now: datetime, limit: int = 20) -> int:
    """Copy the lead pictures of recent articles, the newest first; return how many were tried. Each is tried once."""
    with begin() as session:
        claimed = _claim(session, now=now, limit=limit)
    with ThreadPoolExecutor(CONCURRENCY) as threads:  # no transaction is open here
        fetched = threads.map(partial(_fetch, downloader, now), claimed.values())
        for article_id, picture in zip(claimed, fetched, strict=True):
            if picture:
                with begin() as session:
                    _store(session, article_id, picture)
    return len(claimed)


def _claim(session: Session, *, now: datetime, limit: int) -> dict[int, str]:
    """Claim untried pictures; return their URLs by article id.

    The attempt is recorded before it is made, so a picture that crashes the worker cannot block the others.
    """
    untried = select(Article.id).where(Article.picture_url.is_not(None), Article.picture_tried_at.is_(None))
    recent = untried.where(Article.first_seen_at > now - MAX_AGE)
    newest = recent.order_by(Article.published_at.desc(), Article.id.desc()).limit(limit)
    free = newest.with_for_update(skip_locked=True).cte("free")
    claim = update(Article).where(Article.id == free.c.id).values(picture_tried_at=now)
    rows = session.execute(
        claim.returning(Article.id, Article.picture_url), execution_options={"synchronize_session": False}
    )
    return {article_id: url for article_id, url in rows if url}


def _fetch(downloader: Downloader, now: datetime, url: str) -> Picture | None:
    try:
        picture = downloader.picture(url)
    except NewsletterError:
        return None
    if picture.width < MIN_WIDTH or max(picture.width, picture.height) > MAX_SIDE:
        return None
    sha256 = hashlib.sha256(picture.body).hexdigest()
    return Picture(sha256=sha256, found_at=now, **asdict(picture))


def _store(session: Session, article_id: int, picture: Picture) -> None:
    if session.get(Picture, picture.sha256) is None:
        try:
            with session.begin_nested():
                session.add(picture)
        except IntegrityError:
            pass  # another worker has stored the same file meanwhile
    session.execute(update(Article).where(Article.id == article_id).values(picture_sha256=picture.sha256))
