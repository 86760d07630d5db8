"""Editions: an issue as its readers see it, frozen, for letters and the archive."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from urllib.parse import urljoin

from newsletter.content.articles import Article
from newsletter.content.feeds import Feed
from newsletter.content.parsing.sanitizing import excerpt, plain_text
from newsletter.content.pictures import Picture

WORDS_A_MINUTE = 220
SHORTEST_READ = 100  # words; a feed that gives only an excerpt says nothing about the length of the article
MAX_HEADLINE = 90
SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}


@dataclass(frozen=True, kw_only=True)
class Image:
    """A picture on our own host, in its own size."""

    url: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True, kw_only=True)
class EditionArticle:
    """An article in an issue. All is plain text but `html`, which is sanitized."""

    title: str
    url: str
    excerpt: str
    html: str
    source: str | None
    author: str | None
    minutes: int | None
    published_at: datetime
    picture: Image | None


@dataclass(frozen=True, kw_only=True)
class Edition:
    """What an issue says, in order."""

    number: int
    title: str
    articles: tuple[EditionArticle, ...]


def edition_article(article: Article, feed: Feed, picture: Picture | None, *, base_url: str) -> EditionArticle:
    """The article as it is shown."""
    return EditionArticle(
        title=article.title,
        url=article.url or urljoin(feed.url, "/"),  # without a page of its own: its publisher's front page
        excerpt=article.summary,
        html=article.html,
        source=feed.title or None,
        author=article.author or None,
        minutes=_minutes(article.html),
        published_at=article.published_at,
        picture=_image(article, picture, base_url) if picture else None,
    )


def content_hash(edition: Edition) -> str:
    """A hash over everything that readers will see, wherever the site stands and whichever number it gets."""
    content = [edition.title, [asdict(article) for article in edition.articles]]
    return hashlib.sha256(json.dumps(content, default=str, sort_keys=True).encode()).hexdigest()


def headline(titles: Sequence[str]) -> str:
    """A subject from the first title, in one line of a mail program: "The bridge opens, and 11 more"."""
    if not titles:
        return "Nothing new"
    more = f", and {len(titles) - 1} more" if len(titles) > 1 else ""
    return excerpt(titles[0].rstrip(".") if more else titles[0], MAX_HEADLINE - len(more)) + more


def _image(article: Article, picture: Picture, base_url: str) -> Image:
    url = f"{base_url}/pictures/{picture.sha256}.{SUFFIXES[picture.type]}"
    return Image(url=url, width=picture.width, height=picture.height, alt=article.picture_alt)


def _minutes(html: str) -> int | None:
    words = len(plain_text(html).split())
    return max(1, round(words / WORDS_A_MINUTE)) if words >= SHORTEST_READ else None
