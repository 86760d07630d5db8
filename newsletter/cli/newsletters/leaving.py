"""newsletter newsletters reasons: why readers left, if they told it."""

from newsletter import clock, newsletters
from newsletter.cli import console
from newsletter.cli.newsletters.wordings import Slug
from newsletter.consent.decisions import leaving_reasons


def reasons(slug: Slug, as_json: console.Json = False) -> None:
    """Count the reasons of 90 days for which readers left, and show the comments of a year, without names."""
    with console.database() as database, database.reading() as session:
        newsletter = newsletters.named(session, slug)
        told = leaving_reasons.summary(session, newsletter.id, now=clock.now())
    comments = [
        {"day": f"{at:%Y-%m-%d}", "reason": reason.value, "comment": said} for at, reason, said in told.comments
    ]
    answer = {"slug": slug, "reasons": {each.value: n for each, n in told.counts.items()}, "comments": comments}
    lines = [f"{number:>6}  {reason.value}" for reason, number in told.counts.items()]
    lines += [f"{each['day']}  {each['reason']}: {each['comment']}" for each in comments]
    console.show(answer, as_json=as_json, text="\n".join(["In the last 90 days:", *lines]))
