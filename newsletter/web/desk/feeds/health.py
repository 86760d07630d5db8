"""How a feed stands, as a tag and a few words. Pure."""

from typing import Any, NamedTuple


class FeedHealth(NamedTuple):
    """The class of the tag, and its words."""

    tag: str
    words: str


def of(state: dict[str, Any]) -> FeedHealth:
    """Return the health of a feed whose state `feed_facts` told."""
    if state["paused_at"]:
        return FeedHealth("", "Paused")
    if state["error"] and state["failures"]:
        return FeedHealth("bad", "Failing")
    if state["error"]:
        return FeedHealth("warn", "Look at")
    if state["late_since"]:
        return FeedHealth("warn", "Late")
    if not state["checked_at"]:
        return FeedHealth("", "Not read yet")
    return FeedHealth("good", "Answers")
