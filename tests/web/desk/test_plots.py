"""Plots stand where their values are, whatever the values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.web.desk import plots

COUNTS = st.integers(0, 10**9)


def share(percent: str) -> float:
    return float(percent.removesuffix("%"))


@given(low=COUNTS, more=COUNTS)
def test_grid_lines_are_few_round_even_and_around_the_values(low, more):
    values = plots.round_values(low, low + more)
    step = values[1] - values[0]
    assert 2 <= len(values) <= 4
    assert values == list(range(values[0], values[-1] + 1, step))
    assert values[0] <= low <= low + more <= values[-1]
    assert str(step).rstrip("0") in {"1", "2", "5"}


@given(st.lists(COUNTS, min_size=1, max_size=90))
def test_a_line_stays_in_its_picture_and_ends_at_the_last_value(values):
    plot = plots.line(values)
    points = [tuple(map(float, point.split())) for point in plot.path.removeprefix("M").split(" L")]
    assert len(points) == max(len(values), 2)
    assert all(0 <= x <= 1000 and 0 <= y <= 100 for x, y in points)
    assert points[-1][1] == pytest.approx(share(plot.last_y), abs=0.1)
    assert (plot.last, [each.value for each in plot.grid]) == (
        values[-1],
        sorted((each.value for each in plot.grid), reverse=True),
    )


def test_a_line_begins_where_its_values_do():
    assert plots.line([0, 24], steps=4).path == "M750 100 L1000 20"
    assert plots.line([5, 5, 6], steps=2).path == "M0 100 L500 100 L1000 0"


@given(st.lists(st.tuples(COUNTS, COUNTS), max_size=12))
def test_bars_stay_in_their_picture(pairs):
    plot = plots.bars([up for up, _ in pairs], [down for _, down in pairs])
    assert len(plot.bars) == len(pairs)
    for bar in plot.bars:
        assert share(bar.up_y) + share(bar.up) == pytest.approx(share(plot.baseline), abs=0.2)
        assert share(bar.up_y) >= -0.1
        assert share(plot.baseline) + share(bar.down) <= 100.2
        assert share(bar.x) + share(bar.width) <= 100
