"""Recognize the entries of a document as articles that are stored already. Pure.

Three facts name a story: the id that the feed gives it, its canonical link, and its text. Each of them may change, and
several stories may share each. So an id counts unless all else contradicts it, a link counts together with the title,
the date or the text, and a text counts together with the title or the date. What two feeds link to within some days is
one story, because the link is all that an aggregator keeps.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from newsletter.content.articles.canonical_links import canonical, without_host
from newsletter.content.articles.story_keys import StoryKeys, entry_keys
from newsletter.content.parsing.entries import FeedEntry

POSITION = re.compile(r"\d{1,3}")  # an id that may be no more than the entry's place in the document
HASHED = "sha256:"  # begins an id that was made from title and text, because the feed gives none
MIN_HEADLINE = 12  # letters, digits and spaces of a title that tells one story from another of the same minute
SAME_POST = timedelta(hours=6)  # between two dates of a text that a site, or another one, publishes again
SAME_LINK = timedelta(days=3)  # between the dates that two feeds give to one page
ANY_DATE = "any date"
UNDATED = "undated"


@dataclass(frozen=True)
class ComparedSide:
    """A story of the document, or a stored article that it is compared with."""

    keys: StoryKeys
    is_here: bool
    is_stored: bool
    is_elsewhere: bool = True  # False for an article that the feed whose document is read has offered


# Yields facts of a story or of an article; a story is an article if they share one.
StoryFacts = Callable[[ComparedSide], Iterator[Hashable]]


@dataclass(frozen=True, kw_only=True)
class KnownArticle:
    """A stored article with the keys that it has in one feed. `is_here`: in the feed whose document is read."""

    id: int
    is_here: bool
    keys: StoryKeys


def distinct(entries: Iterable[FeedEntry], *, pages: Collection[str | None]) -> list[tuple[FeedEntry, StoryKeys]]:
    """Return the stories of a document with their keys; of a story that it contains twice, the first entry.

    An id or a link that several stories share, or that is one of `pages` (the channel's), is no key.
    """
    general = {canonical(page) for page in pages if page}
    stories: list[tuple[FeedEntry, StoryKeys]] = []
    seen: set[Hashable] = set()
    for entry in entries:
        keys = _without_general(entry_keys(entry), entry, general)
        repeated = set(_repetition(keys))
        if not repeated & seen:
            stories.append((entry, keys))
        seen |= repeated
    identities = Counter(keys.identity for _, keys in stories)
    links = Counter(keys.link for _, keys in stories)
    texts = Counter(keys.text for _, keys in stories)
    return [
        (
            entry,
            replace(
                keys,
                identity=keys.identity if identities[keys.identity] == 1 else None,
                link=keys.link if links[keys.link] == 1 else None,
                is_text_alone=texts[keys.text] == 1,
            ),
        )
        for entry, keys in stories
    ]


def recognize(stories: Sequence[StoryKeys], known: Iterable[KnownArticle]) -> list[int | None]:
    """Return for each story of a document the id of its article, or None for a new story.

    The strongest evidence decides first, and an article is one story's at most: so a feed that numbers its entries by
    position does not turn yesterday's stories into today's.
    """
    sides = _sides(sorted(known, key=lambda article: (article.is_here, -article.id)))
    found: dict[int, int] = {}
    for facts_of in (_exact, _identity, _link, _text, _remaining):
        _match(stories, sides, facts_of, found)
    _match_by_identity_alone(stories, sides, found)
    _match(stories, sides, _elsewhere, found)
    return [found.get(place) for place in range(len(stories))]


def _sides(known: Sequence[KnownArticle]) -> list[tuple[int, ComparedSide]]:
    """Return the articles to compare, by id, with what all of them together tell about each."""
    texts = Counter(text for text, _ in {(article.keys.text, article.id) for article in known})
    here = {article.id for article in known if article.is_here}
    return [
        (
            article.id,
            ComparedSide(
                keys=replace(article.keys, is_text_alone=texts[article.keys.text] == 1),
                is_here=article.is_here,
                is_stored=True,
                is_elsewhere=article.id not in here,
            ),
        )
        for article in known
    ]


def _match(
    stories: Sequence[StoryKeys],
    known: Sequence[tuple[int, ComparedSide]],
    facts_of: StoryFacts,
    found: dict[int, int],
) -> None:
    """Add matches of remaining stories with remaining articles that share a fact; of several, the last of `known`."""
    taken = set(found.values())
    articles: dict[Hashable, list[int]] = defaultdict(list)
    for article_id, side in known:
        for fact in facts_of(side):
            articles[fact].append(article_id)
    for place, keys in enumerate(stories):
        for fact in () if place in found else facts_of(ComparedSide(keys, is_here=True, is_stored=False)):
            candidates = articles[fact]
            while candidates and candidates[-1] in taken:
                candidates.pop()
            if candidates:
                found[place] = candidates[-1]
                taken.add(candidates[-1])
                break


def _without_general(keys: StoryKeys, entry: FeedEntry, general: Collection[str]) -> StoryKeys:
    """Drop an id or a link that is the page of the channel, or an id that is the front page of a site."""
    identity = keys.identity
    if identity and re.match("https?://", entry.identity) and _is_general(entry.identity, general):
        identity = None
    if entry.url and _is_general(entry.url, general):
        return replace(keys, identity=identity, link=None, page=None, path=None)
    return replace(keys, identity=identity)


def _is_general(url: str, general: Collection[str]) -> bool:
    return not without_host(url) or canonical(url) in general


def _repetition(keys: StoryKeys) -> Iterator[Hashable]:
    """Yield facts of which two entries in one document share one only if they are the same story."""
    if keys.identity:
        yield "identity", keys.identity, keys.page, keys.title
    if keys.page:
        yield "page", keys.page, keys.title, keys.text or keys.date
        if keys.date:
            yield "page", keys.page, keys.title, keys.date
    if keys.text and keys.date:
        yield "text", keys.text, keys.title, keys.date


def _exact(side: ComparedSide) -> Iterator[Hashable]:
    if side.is_here and side.keys.identity:
        yield side.keys.identity, side.keys.page, side.keys.title


def _identity(side: ComparedSide) -> Iterator[Hashable]:
    """Yield the id with each fact that may confirm it; `link` and `text` are those of this feed's version."""
    if side.is_here and side.keys.identity:
        keys = side.keys
        confirming = {"page": keys.page, "title": keys.title, "date": keys.date, "link": keys.link}
        is_text_telling = keys.is_text_alone and not POSITION.fullmatch(keys.identity or "")
        confirming["text"] = keys.text if is_text_telling else None
        yield from ((keys.identity, name, fact) for name, fact in confirming.items() if fact)


def _link(side: ComparedSide) -> Iterator[Hashable]:
    """Yield the link with the title, the date and the text: a page of changes has one link for many stories."""
    keys = side.keys
    if keys.link:
        yield keys.link, "title", keys.title
        yield keys.link, "date", keys.date or UNDATED
        if keys.is_text_alone and keys.text:
            yield keys.link, "text", keys.text


def _text(side: ComparedSide) -> Iterator[Hashable]:
    """Yield the text with the title unless the dates are far apart, and with the date.

    A long title with the date is enough if one of the two has too little text to compare.
    """
    keys = side.keys
    if keys.text:
        yield from _near(side, SAME_POST, keys.text, keys.title)
        if keys.is_text_alone and keys.date:
            yield keys.text, keys.date
    if keys.date and len(keys.title) >= MIN_HEADLINE:
        if side.is_stored or not keys.text:
            yield "any text", keys.title, keys.date
        if not (side.is_stored and keys.text):
            yield "no text", keys.title, keys.date


def _remaining(side: ComparedSide) -> Iterator[Hashable]:
    """Yield what is enough within one feed: the title with a shared link, with a path on another host, or alone.

    The title alone is enough for an entry that has neither an id nor a link of its own.
    """
    if not side.is_here:
        return
    keys = side.keys
    if keys.page:
        yield from _dated(side, "page", keys.page, keys.title)
    if keys.path:
        yield from _dated(side, "path", keys.path, keys.title)
        if keys.text:
            yield "path", keys.path, keys.title, keys.text
    if side.is_stored or not (keys.identity or keys.link):
        yield from _dated(side, "title", keys.title)
    if keys.date and (keys.identity or "").startswith(HASHED):
        yield "hashed", keys.title, keys.date


def _elsewhere(side: ComparedSide) -> Iterator[Hashable]:
    """Yield what is enough for an article that only other feeds have offered.

    That is the link or the text with a near date, and the same date with a title to which one of the two adds a site.
    """
    keys = side.keys
    if not side.is_elsewhere:
        return
    if keys.link:
        yield from _near(side, SAME_LINK, "link", keys.link)
    if keys.text and keys.is_text_alone:
        yield from _near(side, SAME_POST, "text", keys.text)
    if keys.date and len(keys.headline) >= MIN_HEADLINE:
        yield "their site" if side.is_stored else "our site", keys.title, keys.date
        if keys.headline != keys.title:
            yield "our site" if side.is_stored else "their site", keys.headline, keys.date


def _near(side: ComparedSide, span: timedelta, *fact: Hashable) -> Iterator[Hashable]:
    """Yield a fact such that a story and an article share one unless their dates are further apart than `span`.

    Dates up to twice as far apart may count as near, because dates are compared by the span that they lie in.
    """
    date = side.keys.date
    number = int(date.timestamp() // span.total_seconds()) if date else None
    if side.is_stored:
        yield *fact, ANY_DATE
        yield *fact, UNDATED if number is None else number
    elif number is None:
        yield *fact, ANY_DATE
    else:
        yield from ((*fact, near) for near in (number, number - 1, number + 1, UNDATED))


def _dated(side: ComparedSide, *fact: Hashable) -> Iterator[Hashable]:
    """Yield a fact such that a story and an article share one unless both have dates, and these differ."""
    if side.is_stored:
        yield *fact, ANY_DATE
        yield *fact, side.keys.date or UNDATED
    elif side.keys.date:
        yield *fact, side.keys.date
        yield *fact, UNDATED
    else:
        yield *fact, ANY_DATE


def _match_by_identity_alone(
    stories: Sequence[StoryKeys], known: Sequence[tuple[int, ComparedSide]], found: dict[int, int]
) -> None:
    """Match the remaining stories with the newest article of the same id, unless link, title and date contradict it."""
    taken = set(found.values())
    newest = {side.keys.identity: (article_id, side.keys) for article_id, side in reversed(known) if side.is_here}
    for place, keys in enumerate(stories):
        article_id, same = (
            newest.get(keys.identity, (None, None)) if keys.identity and place not in found else (None, None)
        )
        if article_id and same and article_id not in taken and not _contradict(keys, same):
            found[place] = article_id
            taken.add(article_id)


def _contradict(story: StoryKeys, article: StoryKeys) -> bool:
    """Return whether a story with an article's id is another story. Its title, link and date are known to differ."""
    have_links = story.page and article.page
    return bool(story.date and article.date and (have_links or POSITION.fullmatch(story.identity or "")))
