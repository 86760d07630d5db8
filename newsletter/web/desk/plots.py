"""Plots as inline SVG: where lines, bars and labels stand. Pure; templates/desk/_plots.html draws them.

Positions are per cent of the picture, measured from above, so that a plot fits any width and text keeps its size. The
inner picture of a line is 1000 wide and 100 high.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

MAX_GRID_LINES = 4
STEPS = (1, 2, 5)  # round values are these times a power of ten
BAR_SHARE = 0.36  # of a bar's place that it fills


class GridLine(NamedTuple):
    """A hairline across a plot, with the value that it stands for."""

    y: str
    value: int


@dataclass(frozen=True)
class LinePlot:
    """A line over evenly spaced points. It may start above zero, so no area is filled under it."""

    path: str
    grid: tuple[GridLine, ...]
    last: int
    last_y: str


class Bar(NamedTuple):
    """A bar upwards and one downwards, at the same place."""

    x: str
    width: str
    up_y: str
    up: str
    down: str


@dataclass(frozen=True)
class BarPlot:
    """Bars from a common line: what came upwards, what went downwards."""

    baseline: str
    bars: tuple[Bar, ...]


def line(values: Sequence[int], *, steps: int = 0) -> LinePlot:
    """Return the plot of these values, the oldest first; at least one.

    If they are fewer than the steps that the plot is wide, its left is empty: nothing is known of the time before.
    """
    ticks = round_values(min(values), max(values))
    low, high = ticks[0], ticks[-1]

    def y(value: int) -> float:
        return 100 * (high - value) / (high - low)

    last = len(values) - 1
    wide = max(last, steps, 1)
    points = [f"{1000 * (wide - last + place) / wide:.4g} {y(value):.4g}" for place, value in enumerate(values)]
    if last == 0:  # a single point is shown as a level line
        points = [f"0 {y(values[0]):.4g}", f"1000 {y(values[0]):.4g}"]
    grid = tuple(GridLine(_percent(y(value)), value) for value in reversed(ticks))
    return LinePlot(f"M{' L'.join(points)}", grid, values[-1], _percent(y(values[-1])))


def bars(ups: Sequence[int], downs: Sequence[int] = ()) -> BarPlot:
    """Return bars of these values, the oldest first, upwards and downwards on one scale."""
    downs = downs or [0] * len(ups)
    most_up, most_down = max(ups, default=0), max(downs, default=0)
    scale = 100 / max(most_up + most_down, 1)
    baseline, place = most_up * scale if most_up + most_down else 100.0, 100 / max(len(ups), 1)
    drawn = tuple(
        Bar(
            x=_percent(place * (number + (1 - BAR_SHARE) / 2)),
            width=_percent(place * BAR_SHARE),
            up_y=_percent(baseline - up * scale),
            up=_percent(up * scale),
            down=_percent(down * scale),
        )
        for number, (up, down) in enumerate(zip(ups, downs, strict=True))
    )
    return BarPlot(_percent(baseline), drawn)


def round_values(low: int, high: int) -> list[int]:
    """Return two to four round values, evenly spaced, between whose ends `low` and `high` lie."""
    exponent = 0
    while True:
        for step in (each * 10**exponent for each in STEPS):
            first = low // step * step
            last = max(-(-high // step) * step, first + step)
            if (last - first) // step < MAX_GRID_LINES:
                return list(range(first, last + step, step))
        exponent += 1


def _percent(value: float) -> str:
    return f"{value:.4g}%"
