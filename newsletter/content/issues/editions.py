"""Editions: immutable values with an issue's content as readers see it, for letters and the archive."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from newsletter.content.articles.articles import Article
from newsletter.content.articles.picture_files import Picture
from newsletter.content.feeds.feeds import Feed
from newsletter.content.parsing.texts.sanitizing import plain_text
from newsletter.content.parsing.texts.shortening import excerpt

WORDS_PER_MINUTE = 220
MIN_WORDS = 100  # for a reading time: a feed that contains only an excerpt does not show how long the article is
MAX_HEADLINE = 90  # characters
SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}


@dataclass(frozen=True, kw_only=True)
class Image:
    """A picture on our own host, with its size in pixels."""

    url: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True, kw_only=True)
class EditionArticle:
    """An article in an issue. `html` is sanitized HTML; every other text is plain.

    `url` is None if its feed names no page at all; its title is then no link.
    """

    title: str
    url: str | None
    excerpt: str
    html: str
    source: str | None
    author: str | None
    minutes: int | None
    published_at: datetime
    picture: Image | None


@dataclass(frozen=True, kw_only=True)
class Edition:
    """An issue's title and articles, in order."""

    number: int
    title: str
    articles: tuple[EditionArticle, ...]


def edition_article(article: Article, feed: Feed, picture: Picture | None, *, base_url: str) -> EditionArticle:
    """Return the article as readers see it; a picture's URL begins with `base_url`."""
    return EditionArticle(
        title=article.title,
        url=article.url,
        excerpt=article.summary,
        html=article.html,
        source=feed.shown_title or None,
        author=article.author or None,
        minutes=_minutes(article.html),
        published_at=article.published_at,
        picture=_image(article, picture, base_url) if picture else None,
    )


def content_hash(edition: Edition) -> str:
    """Return the SHA-256, in hexadecimal, of an edition's title and articles, without its number."""
    content = [edition.title, [asdict(article) for article in edition.articles]]
    return hashlib.sha256(json.dumps(content, default=str, sort_keys=True).encode()).hexdigest()


def headline(titles: Sequence[str]) -> str:
    """Return a subject of at most 90 characters from the first title: "The bridge opens, and 11 more"."""
    if not titles:
        return "Nothing new"
    more = f", and {len(titles) - 1} more" if len(titles) > 1 else ""
    return excerpt(titles[0].rstrip(".") if more else titles[0], MAX_HEADLINE - len(more)) + more


def _image(article: Article, picture: Picture, base_url: str) -> Image:
    url = f"{base_url}/pictures/{picture.sha256}.{SUFFIXES[picture.type]}"
    return Image(url=url, width=picture.width, height=picture.height, alt=article.picture_alt)


def _minutes(html: str) -> int | None:
    words = len(plain_text(html).split())
    return max(1, round(words / WORDS_PER_MINUTE)) if words >= MIN_WORDS else None
