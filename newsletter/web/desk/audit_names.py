"""Name the things that audit entries are about, and where their pages are."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.content.digests.digests import Digest
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues.issues import Issue
from newsletter.content.parsing.texts.sanitizing import without_userinfo
from newsletter.newsletters import Newsletter
from newsletter.operators.operators import Operator

# What has a name of its own: the column that an entry names it by, and those of its name, the best first.
NAMES: Mapping[str, tuple[Any, ...]] = {
    "issue": (Issue.id, Issue.title),
    "feed": (Feed.id, Feed.own_title, Feed.title, Feed.url),
    "digest": (Digest.id, Digest.name),
    "operator": (Operator.id, Operator.name, Operator.address),
}
PATHS = {
    "issue": "/desk/issues/{issue_id}",
    "feed": "/desk/feeds/{feed_id}",
    "digest": "/desk/digests/{digest_id}",
    "newsletter": "/desk/newsletters/{slug}",
    "operator": "/desk/operators/{operator_id}",
}


class NamedThing(NamedTuple):
    """What an entry is about."""

    kind: str
    name: str
    path: str | None = None  # of its page; None if it has none, or is gone
    is_own_name: bool = False  # rather than its kind and number


def named(
    session: Session, subjects: Collection[str], *, pages: Collection[str], newsletters: Collection[Newsletter]
) -> dict[str, NamedThing]:
    """Return each subject's name, in a statement for each kind of thing but newsletters: those are all given.

    `pages` are the routes that may be linked.
    """
    by_kind: dict[str, list[str]] = {}
    for subject in subjects:
        kind, _, key = subject.partition(":")
        by_kind.setdefault(kind, []).append(key)
    found: dict[str, NamedThing] = {}
    for kind, keys in by_kind.items():
        names = {each.slug: each.name for each in newsletters} if kind == "newsletter" else _names(session, kind, keys)
        for key in keys:
            path = PATHS.get(kind)
            is_linked = key in names and path in pages
            shown = names.get(key) or (f"{kind} {key}" if key else kind)
            link = f"{path.rpartition('/')[0]}/{key}" if path and is_linked else None
            found[f"{kind}:{key}" if key else kind] = NamedThing(kind, shown, link, bool(names.get(key)))
    return found


def _names(session: Session, kind: str, keys: list[str]) -> dict[str, str]:
    if kind not in NAMES:
        return {}
    key, *names = NAMES[kind]
    rows = session.execute(select(key, *names).where(key.in_([int(each) for each in keys if each.isdecimal()])))
    return {str(row[0]): _without_scheme(next(filter(None, row[1:]), "")) for row in rows}


def _without_scheme(name: str) -> str:
    """Return a name; where it is an address, as people write one, and without the password of an older release."""
    scheme, mark, rest = without_userinfo(name).partition("://")
    return rest.rstrip("/") if mark and scheme in {"http", "https"} else name
