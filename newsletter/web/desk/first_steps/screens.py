"""The line above each screen of the first steps: where one stands, and what comes next."""

from typing import NamedTuple

NAMES = {"newsletter": "Newsletter", "feed": "Feed", "digest": "Digest", "letter": "Test letter"}


class Screen(NamedTuple):
    """One of the steps, as the line names it."""

    name: str
    path: str  # "" without a page of its own
    is_current: bool


class Screens(NamedTuple):
    """All steps, and the path of the one after the current one; without one, Today."""

    every: list[Screen]
    next_path: str


def shown(slug: str, current: str) -> Screens:
    """Return the line of a newsletter's screen."""
    paths = {key: f"/desk/start/{slug}/{key}" if slug and key != "newsletter" else "" for key in NAMES}
    every = [Screen(name, paths[key], key == current) for key, name in NAMES.items()]
    keys = list(NAMES)
    following = keys[keys.index(current) + 1 :]
    return Screens(every, paths[following[0]] if following else "/desk")
