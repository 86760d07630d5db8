"""Show what a digest's next issue would hold, and why other articles are left out. Changes nothing."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.content.digests import candidates, digests, drafting, selection
from newsletter.content.digests.selection import ArticleVerdict, Judgement
from newsletter.content.issues import headings
from newsletter.languages.languages import language

MAX_LEFT_OUT = 50  # articles to name; the counts tell of the others


@dataclass(frozen=True)
class NextIssue:
    """The issue that would be drafted now: its subject, its articles, the newest that are out, and all counts."""

    title: str
    chosen: list[Judgement]
    left_out: list[Judgement]
    counts: Counter[ArticleVerdict]


def preview(session: Session, digest_id: int, *, now: datetime) -> NextIssue:
    """Judge every article of the digest's newsletter as a run now would. Raises NotFound for an unknown digest."""
    digest, newsletter = digests.numbered(session, digest_id)
    every = candidates.read(session, newsletter.id, digest.id, only_unused=False)
    chosen: list[Judgement] = []
    left_out: list[Judgement] = []
    counts: Counter[ArticleVerdict] = Counter()
    for judgement in selection.judge(every, drafting.digest_terms(digest), now=now):
        counts[judgement.verdict] += 1
        if judgement.is_in:
            chosen.append(judgement)
        elif len(left_out) < MAX_LEFT_OUT:
            left_out.append(judgement)
    title = headings.headline([judgement.candidate.title for judgement in chosen], language(newsletter.language))
    return NextIssue(title, chosen, left_out, counts)
