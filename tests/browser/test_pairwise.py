"""Combinations of settings."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from tests.browser.pairwise import pairwise, with_every_value

SETTINGS = st.lists(st.integers(1, 4), min_size=2, max_size=6).map(
    lambda sizes: {f"setting{place}": [str(value) for value in range(size)] for place, size in enumerate(sizes)}
)


@given(SETTINGS)
def test_every_two_values_meet_and_each_row_is_needed(settings):
    rows = pairwise(settings)
    for (one, values), (other, others) in combinations(settings.items(), 2):
        assert {(row[one], row[other]) for row in rows} == {(a, b) for a in values for b in others}
    assert all(row.keys() == settings.keys() for row in rows)
    assert len({tuple(row.items()) for row in rows}) == len(rows)


@given(SETTINGS)
def test_few_rows_hold_every_value(settings):
    rows = pairwise(settings)
    few = with_every_value(rows)
    assert {name: {row[name] for row in few} for name in settings} == {name: set(v) for name, v in settings.items()}
    assert all(row in rows for row in few)
    assert len(few) <= sum(map(len, settings.values())) - len(settings) + 1
