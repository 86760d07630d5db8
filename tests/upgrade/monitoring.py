"""What monitoring reads off two sites of one service: the names of metrics, and the keys of health pages."""

import re
from typing import Any

import httpx2

from tests.waiting import TIMEOUT

HEALTH = ("live", "ready", "work")


def compare(before: str, after: str) -> list[str]:
    """Fail where a metric or key of the release before is missing in the one after; return what the latter adds."""
    added = []
    for what, names in (("metrics", _metrics), *((f"health/{page}", _keys) for page in HEALTH)):
        old, new = (names(httpx2.get(f"{url}/{what}", trust_env=False, timeout=TIMEOUT)) for url in (before, after))
        assert old, f"/{what} says nothing"
        assert not (missing := old - new), f"/{what} lacks {sorted(missing)}"
        if more := new - old:
            added.append(f"/{what} adds {', '.join(sorted(more))}")
    return added


def _metrics(answer: httpx2.Response) -> set[str]:
    return set(re.findall(r"^# TYPE (\S+ \S+)$", answer.text, re.MULTILINE))


def _keys(answer: httpx2.Response) -> set[str]:
    found: Any = answer.json()
    return set(found)
