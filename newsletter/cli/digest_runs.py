"""newsletter digests upcoming, run: when a digest drafts an issue, and what the issue holds."""

from collections import Counter
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from sqlalchemy.orm import Session

from newsletter import audit_log, clock, newsletters
from newsletter.cli import console
from newsletter.content.digests import digests, drafting, next_issue
from newsletter.content.digests.digests import Digest
from newsletter.content.digests.drafting import NothingNew
from newsletter.content.digests.next_issue import NextIssue
from newsletter.content.digests.selection import Judgement
from newsletter.newsletters import Newsletter

DigestArgument = Annotated[int, typer.Argument(min=1, max=2**62, help="The digest's id, as `digests list` shows it.")]


def upcoming(
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many runs to show.")] = 10,
    digest: Annotated[
        int | None, typer.Option(min=1, max=2**62, help="Only of the digest with this id; by default of all.")
    ] = None,
    newsletter: Annotated[str | None, typer.Option(help="Only of the newsletter with this slug.")] = None,
    as_json: console.Json = False,
) -> None:
    """Show the next runs. Each time is in its digest's time zone. Paused digests have none."""
    with console.database() as database, database.reading() as session:
        rows = [
            run
            for each, publication in _selected(session, digest, newsletter)
            if each.active
            for run in runs(each, publication.slug, count=count)
        ]
    rows = sorted(rows, key=lambda row: row["utc"])[:count]
    console.show(rows, as_json=as_json, text="\n".join(map(run_line, rows)) or "Nothing is scheduled.")


def run(
    digest: DigestArgument,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Draft nothing; show each article, and why it is in or out.")
    ] = False,
    as_json: console.Json = False,
) -> None:
    """Draft the digest's next issue now. You approve it, even if the digest sends automatically."""
    if dry_run:
        with console.database() as database, database.reading() as session:
            shown = next_issue.preview(session, digest, now=clock.now())
        console.show(_preview_answer(digest, shown), as_json=as_json, text=_preview_text(shown))
        return
    with console.database() as database, database.writing() as session:
        try:
            issue = drafting.draft_now(session, digest, actor=audit_log.system_user(), now=clock.now())
        except NothingNew as error:
            raise NothingNew(f"{error} See why: newsletter digests run {digest} --dry-run") from error
        answer = {"digest": digest, "issue": issue.id, "status": issue.status.value, "title": issue.title}
    text = (
        f"Issue {answer['issue']} is drafted: {answer['title']}\nApprove it: newsletter issues send {answer['issue']}"
    )
    console.show(answer, as_json=as_json, text=text)


def runs(digest: Digest, newsletter: str, *, count: int) -> list[dict[str, Any]]:
    """Return the digest's next runs as rows for the user."""
    zone = ZoneInfo(digest.zone)
    return [
        {
            "digest": digest.id,
            "newsletter": newsletter,
            "name": digest.name,
            "zone": digest.zone,
            "at": each.at.astimezone(zone).isoformat(),
            "utc": each.at.isoformat(),
            "missed": each.missed.astimezone(zone).isoformat() if each.missed else None,
        }
        for each in digests.upcoming(digest, now=clock.now(), count=count)
    ]


def run_line(row: dict[str, Any]) -> str:
    """Return a row of `runs` as a line of text."""
    day, _, clock = row["at"].partition("T")
    line = f"{day} {clock[:5]} {row['at'][-6:]}  {row['zone']:<20} {row['newsletter']:<20} {row['name']}"
    return f"{line} (makes up for {row['missed'][:16].replace('T', ' ')})" if row["missed"] else line


def _selected(session: Session, digest: int | None, newsletter: str | None) -> list[tuple[Digest, Newsletter]]:
    """Return the digests asked for; raises NotFound if there is no such digest or newsletter."""
    publication = newsletters.named(session, newsletter) if newsletter else None
    found = digests.every(session) if digest is None else [digests.numbered(session, digest)]
    return [(each, of) for each, of in found if publication is None or of.id == publication.id]


def _preview_answer(digest: int, shown: NextIssue) -> dict[str, Any]:
    return {
        "digest": digest,
        "title": shown.title if shown.chosen else None,
        "in": [_article(judgement) for judgement in shown.chosen],
        "out": [_article(judgement) for judgement in shown.left_out],
        "counts": {verdict.value: number for verdict, number in shown.counts.items()},
    }


def _article(judgement: Judgement) -> dict[str, Any]:
    article = judgement.candidate
    return {
        "article": article.id,
        "title": article.title,
        "published_at": article.published_at,
        "verdict": judgement.verdict.value,
        "reason": judgement.verdict.reason,
    }


def _preview_text(shown: NextIssue) -> str:
    lines = [f"The next issue would be: {shown.title}" if shown.chosen else "There is nothing new for an issue."]
    lines += [_article_line("in ", judgement) for judgement in shown.chosen]
    lines += [f"{_article_line('out', each)}: {each.verdict.reason}" for each in shown.left_out]
    more = shown.counts - Counter(judgement.verdict for judgement in (*shown.chosen, *shown.left_out))
    lines += [f"  and {number:,} more out: {verdict.reason}" for verdict, number in more.items()]
    return "\n".join(lines)


def _article_line(side: str, judgement: Judgement) -> str:
    return f"  {side}  {judgement.candidate.published_at:%Y-%m-%d}  {judgement.candidate.title}"
