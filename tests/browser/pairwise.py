"""Few combinations of many settings, in which every two values of different settings meet at least once."""

from collections.abc import Mapping, Sequence
from itertools import combinations, product

Pair = tuple[tuple[str, str], tuple[str, str]]


def pairwise(settings: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Return rows that give each setting one of its values, and hold every pair of values. Always the same rows."""
    open_pairs = {
        pair
        for (one, values), (other, others) in combinations(settings.items(), 2)
        for pair in product(product([one], values), product([other], others))
    }
    rows = []
    while open_pairs:
        row = dict(min(open_pairs))
        for name, values in sorted(settings.items(), key=lambda each: -len(each[1])):
            if name not in row:
                row[name] = max(values, key=lambda value: len(_closed(open_pairs, {**row, name: value})))
        open_pairs -= _closed(open_pairs, row)
        rows.append({name: row[name] for name in settings})
    return rows


def with_every_value(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Return few of the rows that together hold every value that any of them holds."""
    open_values = {value for row in rows for value in row.items()}
    chosen = []
    while open_values:
        row = max(rows, key=lambda each: len(open_values & each.items()))
        open_values -= row.items()
        chosen.append(row)
    return chosen


def _closed(pairs: set[Pair], row: Mapping[str, str]) -> set[Pair]:
    return {pair for pair in pairs if all(row.get(name) == value for name, value in pair)}
