"""Show what a digest's next issue would hold, and why other articles are left out. Changes nothing."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from newsletter.content.digests import candidates, digests, drafting, selection
from newsletter.content.digests.selection import ArticleVerdict, Candidate, Judgement
from newsletter.content.issues import headings
from newsletter.languages.languages import language

RECENT = timedelta(days=60)
NEWEST = 100  # articles that a page has judged, and after them what the issue would still take
MAX_LEFT_OUT = 50  # articles to name; the counts tell of the others


@dataclass(frozen=True)
class NextIssue:
    """The issue that would be drafted now: its subject, its articles, the newest that are out, and all counts."""

    title: str
    chosen: list[Judgement]
    left_out: list[Judgement]
    counts: Counter[ArticleVerdict]  # of the articles that were judged


def preview(session: Session, digest_id: int, *, now: datetime, newest: int | None = None) -> NextIssue:
    """Judge the articles of the digest's newsletter as a run now would. Raises NotFound for an unknown digest.

    With `newest`, only so many articles are judged, published within `RECENT`, and after them those of that time that
    the issue would still take. So a page costs the same however large the archive grows; of a digest that takes the
    archive, all of it is read. An older article that was left over for lack of room is not shown then.
    """
    digest, newsletter = digests.numbered(session, digest_id)
    terms = drafting.digest_terms(digest)
    recent = now - RECENT if newest is not None and not terms.archive else None
    every = candidates.read(session, newsletter.id, digest.id, only_unused=False, published_since=recent, limit=newest)
    chosen: list[Judgement] = []
    left_out: list[Judgement] = []
    counts: Counter[ArticleVerdict] = Counter()
    oldest: Candidate | None = None
    for judgement in selection.judge(every, terms, now=now):
        oldest = judgement.candidate
        counts[judgement.verdict] += 1
        if judgement.is_in:
            chosen.append(judgement)
        elif len(left_out) < MAX_LEFT_OUT:
            left_out.append(judgement)
    if newest is not None and counts.total() == newest and len(chosen) < terms.articles:
        rest = replace(terms, articles=terms.articles - len(chosen))
        since = max(filter(None, (recent, terms.published_since)), default=None)
        unused = candidates.read(session, newsletter.id, digest.id, published_since=since, older_than=oldest)
        chosen += [Judgement(each, ArticleVerdict.CHOSEN) for each in selection.choose(unused, rest, now=now)]
    title = headings.headline([judgement.candidate.title for judgement in chosen], language(newsletter.language))
    return NextIssue(title, chosen, left_out, counts)
