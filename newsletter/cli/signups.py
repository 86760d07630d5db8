"""newsletter signups: show how close confirmation letters are to their limits, and who waits in the slow lane."""

from datetime import datetime
from typing import Any

import typer
from sqlalchemy.orm import Session

from newsletter import clock
from newsletter.cli import console
from newsletter.consent.limits import networks, pressure, used_solutions
from newsletter.consent.limits.pressure import LAPSED, OVERALL, LetterLimits
from newsletter.consent.signups import slow_lane

app = typer.Typer(help="Sign-ups and their limits.", no_args_is_help=True, rich_markup_mode=None)

LONGEST_LINES = 5


@app.callback()
def signups() -> None:
    """Sign-ups and their limits."""


@app.command("pressure")
def show_pressure(as_json: console.Json = False) -> None:
    """Show the confirmation letters of the last hour beside their limits, and the slow lane."""
    settings = console.configured()
    with console.database(settings) as database, database.reading() as session:
        told = _measure(session, LetterLimits(*settings.confirmation_limits), now=clock.now())
    console.show(told, as_json=as_json, text="\n".join(_lines(told)))


def _measure(session: Session, limits: LetterLimits, *, now: datetime) -> dict[str, Any]:
    counts = pressure.count(session, [OVERALL, LAPSED], now=now)
    waiting = slow_lane.waiting(session)
    return {
        "letters": {"last_hour": counts[OVERALL], "limit": limits.overall},
        "at_limit": pressure.full(session, limits, now=now),
        "limits": {"host": limits.host, "network": limits.network, "domain": limits.domain},
        "slow_lane": {
            "signups": waiting.number,
            "since": waiting.since,
            "doubted": slow_lane.doubted(session),
            "lapsed_last_hour": counts[LAPSED],
        },
        "proofs_of_work_last_hour": used_solutions.lately_used(session, now=now),
        "longest_lines": [
            {"network": networks.name(ip) or "unknown or private", "signups": number}
            for ip, number in slow_lane.longest_lines(session, limit=LONGEST_LINES)
        ],
    }


def _lines(told: dict[str, Any]) -> list[str]:
    letters, reached, limits, lane = (told[part] for part in ("letters", "at_limit", "limits", "slow_lane"))
    since = f", the oldest since {lane['since']:%Y-%m-%d %H:%M} UTC" if lane["since"] else ""
    names = {"host": "addresses", "network": "networks", "domain": "domains"}
    return [
        f"letters of the last hour  {letters['last_hour']:,} of {letters['limit']:,}",
        *(
            f"{name + ' at their limit':<25} {reached[kind]:,} ({limits[kind]:,} letters)"
            for kind, name in names.items()
        ),
        f"waiting in the slow lane  {lane['signups']:,}{since}",
        f"  perhaps from programs   {lane['doubted']:,}",
        f"lapsed in the last hour   {lane['lapsed_last_hour']:,}",
        f"proofs of work, last hour {told['proofs_of_work_last_hour']:,}",
        *(f"{'  from ' + line['network']:<25} {line['signups']:,}" for line in told["longest_lines"]),
    ]
