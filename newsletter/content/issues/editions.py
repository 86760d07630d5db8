"""Editions: immutable values with an issue's content as readers see it, for letters and the archive."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from newsletter.content.articles.articles import Article
from newsletter.content.articles.picture_files import Picture
from newsletter.content.feeds.feeds import Feed
from newsletter.content.parsing.texts import reading_length
from newsletter.content.parsing.texts.sanitizing import plain_text
from newsletter.content.parsing.texts.shortening import excerpt_in_words
from newsletter.newsletters import Newsletter

WORDS_PER_MINUTE = 220
MIN_WORDS = 100  # for a reading time: a note of a few lines often is about another page, which takes longer
MAX_EXCERPT_WORDS = 35  # of an excerpt in letters and the archive
MIN_EXCERPT_WORDS = 20  # of one that ends with a sentence, although the next would begin within the limit
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

    `url` is None if its feed names no page at all; its title is then no link. `minutes` is None unless the feed gives
    the whole text. `thumbnail` is the picture made small, or the picture itself if it is small or was stored before.
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
    thumbnail: Image | None = None


@dataclass(frozen=True, kw_only=True)
class Edition:
    """An issue's subject and articles, in order.

    `heading` is the title at the top of the letter; None if the issue has none of its own, or one that repeats the
    first headline below it: `headings.heading` then makes one. `introduction` has at most two paragraphs of plain text.
    `preheader` is what inboxes show after the subject; None leaves it to the template.
    """

    number: int
    title: str
    articles: tuple[EditionArticle, ...]
    heading: str | None = None
    introduction: tuple[str, ...] = ()
    preheader: str | None = None


def edition_article(
    article: Article, feed: Feed, picture: Picture | None, thumbnail: Picture | None, *, base_url: str
) -> EditionArticle:
    """Return the article as readers see it; a picture's URL begins with `base_url`."""
    shown = image(picture, alt=article.picture_alt, base_url=base_url) if picture else None
    return EditionArticle(
        title=article.title,
        url=article.url,
        excerpt=excerpt_in_words(article.summary, MAX_EXCERPT_WORDS, least=MIN_EXCERPT_WORDS),
        html=article.html,
        source=feed.shown_title or None,
        author=article.author or None,
        minutes=_minutes(article.html) if article.has_whole_text else None,
        published_at=article.published_at,
        picture=shown,
        thumbnail=image(thumbnail, alt=article.picture_alt, base_url=base_url) if thumbnail else shown,
    )


def image(picture: Picture, *, alt: str, base_url: str) -> Image:
    """Return a stored picture as readers get it, under the site's URL."""
    url = f"{base_url}/pictures/{picture.sha256}.{SUFFIXES[picture.type]}"
    return Image(url=url, width=picture.width, height=picture.height, alt=alt)


def content_hash(edition: Edition, newsletter: Newsletter) -> str:
    """Return the SHA-256, in hexadecimal, of what readers see of an edition, without its number.

    That includes the languages of its letters and their design: the brand and the logo.
    """
    design = {
        "languages": newsletter.languages,
        "brand": newsletter.brand,
        "logo": newsletter.logo_sha256,
        "preheader": edition.preheader,
    }
    return _sha256([*_content(edition), design])


def former_content_hash(edition: Edition) -> str:
    """Return the hash of an edition as the release before computes it, which knows no preheader."""
    return _sha256(_content(edition))


def _content(edition: Edition) -> list[Any]:
    own = {name: value for name in ("heading", "introduction") if (value := getattr(edition, name))}
    return [edition.title, [_hashed(article) for article in edition.articles], *([own] if own else [])]


def _sha256(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, default=str, sort_keys=True).encode()).hexdigest()


def _hashed(article: EditionArticle) -> dict[str, Any]:
    fields = asdict(article)
    if article.thumbnail == article.picture:
        del fields["thumbnail"]
    return fields


def _minutes(html: str) -> int | None:
    words = reading_length.words(plain_text(html))
    return max(1, round(words / WORDS_PER_MINUTE)) if words >= MIN_WORDS else None
