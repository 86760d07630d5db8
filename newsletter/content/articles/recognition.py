"""Recognize the entries of a document as articles that are stored already. Pure.

Three facts name a story: the id that the feed gives it, its canonical link, and its title with its text. Each of them
may change, and several stories may share each. So an id counts unless all else contradicts it, a link counts together
with the title or the date, and words count if the dates do not contradict them.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from newsletter.content.articles.canonical_links import canonical, without_host
from newsletter.content.articles.story_keys import StoryKeys, entry_keys
from newsletter.content.parsing.entries import FeedEntry

POSITION = re.compile(r"\d{1,3}")  # an id that may be no more than the entry's place in the document
ANY_DATE = "any date"
UNDATED = "undated"


@dataclass(frozen=True)
class ComparedSide:
    """A story of the document, or a stored article that it is compared with."""

    keys: StoryKeys
    is_here: bool
    is_stored: bool


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
    return [
        (
            entry,
            replace(
                keys,
                identity=keys.identity if identities[keys.identity] == 1 else None,
                link=keys.link if links[keys.link] == 1 else None,
            ),
        )
        for entry, keys in stories
    ]


def recognize(stories: Sequence[StoryKeys], known: Iterable[KnownArticle]) -> list[int | None]:
    """Return for each story of a document the id of its article, or None for a new story.

    The strongest evidence decides first, and an article is one story's at most: so a feed that numbers its entries by
    position does not turn yesterday's stories into today's.
    """
    ordered = sorted(known, key=lambda article: (article.is_here, -article.id))
    found: dict[int, int] = {}
    for facts_of in (_exact, _identity, _link, _text, _remaining):
        _match(stories, ordered, facts_of, found)
    _match_by_identity_alone(stories, ordered, found)
    return [found.get(place) for place in range(len(stories))]


def _match(
    stories: Sequence[StoryKeys], known: Sequence[KnownArticle], facts_of: StoryFacts, found: dict[int, int]
) -> None:
    """Add matches of remaining stories with remaining articles that share a fact; of several, the last of `known`."""
    taken = set(found.values())
    articles: dict[Hashable, list[int]] = defaultdict(list)
    for article in known:
        for fact in facts_of(ComparedSide(article.keys, is_here=article.is_here, is_stored=True)):
            articles[fact].append(article.id)
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
        yield "text", keys.text, keys.date


def _exact(side: ComparedSide) -> Iterator[Hashable]:
    if side.is_here and side.keys.identity:
        yield side.keys.identity, side.keys.page, side.keys.title


def _identity(side: ComparedSide) -> Iterator[Hashable]:
    """Yield the id with each fact that may confirm it."""
    if side.is_here and side.keys.identity:
        confirming = {"page": side.keys.page, "title": side.keys.title, "date": side.keys.date}
        yield from ((side.keys.identity, name, fact) for name, fact in confirming.items() if fact)


def _link(side: ComparedSide) -> Iterator[Hashable]:
    """Yield the link with the title and with the date: a page of changes has one link for many stories."""
    if side.keys.link:
        yield side.keys.link, "title", side.keys.title
        if side.keys.date:
            yield side.keys.link, "date", side.keys.date


def _text(side: ComparedSide) -> Iterator[Hashable]:
    if side.keys.text:
        yield from _dated(side, side.keys.text)


def _remaining(side: ComparedSide) -> Iterator[Hashable]:
    """Yield what is enough within one feed: the title with a shared link, with a path on another host, or alone.

    The title alone is enough for an entry that has neither an id nor a link of its own.
    """
    if not side.is_here:
        return
    if side.keys.page:
        yield from _dated(side, "page", side.keys.page, side.keys.title)
    if side.keys.path:
        yield from _dated(side, "path", side.keys.path, side.keys.title)
    if side.is_stored or not (side.keys.identity or side.keys.link):
        yield from _dated(side, "title", side.keys.title)


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
    stories: Sequence[StoryKeys], known: Sequence[KnownArticle], found: dict[int, int]
) -> None:
    """Match the remaining stories with the newest article of the same id, unless link, title and date contradict it."""
    taken = set(found.values())
    newest: dict[str | None, KnownArticle] = {}
    for article in known:
        if article.is_here and article.id >= newest.get(article.keys.identity, article).id:
            newest[article.keys.identity] = article
    for place, keys in enumerate(stories):
        same = newest.get(keys.identity) if keys.identity and place not in found else None
        if same and same.id not in taken and not _contradict(keys, same.keys):
            found[place] = same.id
            taken.add(same.id)


def _contradict(story: StoryKeys, article: StoryKeys) -> bool:
    """Return whether a story with an article's id is another story. Its title, link and date are known to differ."""
    have_links = story.page and article.page
    return bool(story.date and article.date and (have_links or POSITION.fullmatch(story.identity or "")))
