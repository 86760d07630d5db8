"""How many letters of confirmation the whole service owes, and who waits for one; and the plot of a day's sign-ups."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from newsletter import templating
from newsletter.consent.counts.signup_counts import HOURS, SignupCounts
from newsletter.consent.limits import pressure
from newsletter.consent.limits.pressure import LAPSED, OVERALL
from newsletter.consent.signups import slow_lane
from newsletter.consent.signups.slow_lane import Waiting
from newsletter.web.desk import plots
from newsletter.web.desk.frame.desk import Desk
from newsletter.web.desk.plots import BarPlot

LABELLED_HOURS = (3, 9, 15, 21)  # places of bars with the time under them, from the left


class LetterPressure(NamedTuple):
    """The state of the limits of confirmation letters, which hold for all newsletters together."""

    letters: int  # owed in the last hour
    limit: int
    waiting: Waiting
    doubted: int  # of those that wait
    lapsed: int  # in the last hour
    is_under_attack: bool


class HourPlot(NamedTuple):
    """The sign-ups of a day as bars, with times under some of them."""

    bars: BarPlot
    marks: list[tuple[str, str]]
    rows: list[tuple[datetime, int]]  # the hours in which somebody signed up: their end and the number, newest first


def read(desk: Desk, session: Session) -> LetterPressure:
    """Return the pressure now."""
    counts = pressure.count(session, [OVERALL, LAPSED], now=desk.site.now())
    waiting, doubted = slow_lane.waiting(session), slow_lane.doubted(session)
    return LetterPressure(
        letters=counts[OVERALL],
        limit=desk.site.settings.confirmation_limits[-1],
        waiting=waiting,
        doubted=doubted,
        lapsed=counts[LAPSED],
        is_under_attack=slow_lane.is_attack(waiting=waiting.number, doubted=doubted),
    )


def plot(day: SignupCounts, now: datetime, zone: str) -> HourPlot:
    """Return the plot of a day that ends now, with times in this zone."""
    ends = [now - timedelta(hours=HOURS - 1 - place) for place in range(HOURS)]
    marks = [
        (f"{100 * (place + 0.5) / HOURS:.4g}%", f"{templating.local(ends[place], zone):%H:%M}")
        for place in LABELLED_HOURS
    ]
    rows = [(end, number) for end, number in zip(ends, day.by_hour, strict=True) if number]
    return HourPlot(plots.bars(day.by_hour), marks, rows[::-1])
