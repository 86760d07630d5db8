"""Say in words what roles allow."""

from collections.abc import Sequence

from newsletter.operators.grants import NamedGrant
from newsletter.operators.roles import Role

VERBS = {Role.VIEWER: "sees", Role.EDITOR: "edits", Role.PUBLISHER: "publishes", Role.ADMIN: "administers"}
ALLOWS = {
    Role.VIEWER: "sees everything but readers' addresses, and changes nothing",
    Role.EDITOR: "also edits feeds, digests and drafts, and sends test letters",
    Role.PUBLISHER: "also approves, sends, pauses and cancels issues",
    Role.ADMIN: "also changes newsletters and consent wordings; of all newsletters: adds operators, too",
}
MAX_NAMED = 3  # newsletters in a sentence


def sentence(name: str, held: Sequence[NamedGrant]) -> str:
    """Return what an operator may do, as a headline."""
    if not held:
        return f"{name} may do nothing yet"
    by_role = {role: [each.name for each in held if each.role is role] for role in reversed(Role)}
    return f"{name} {_joined([f'{VERBS[role]} {_listed(names)}' for role, names in by_role.items() if names])}"


def _listed(names: Sequence[str]) -> str:
    return _joined(names) if len(names) <= MAX_NAMED else f"{len(names)} newsletters"


def _joined(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
