"""The roles that an operator may have."""

from enum import StrEnum


class Role(StrEnum):
    """What an operator may do. Each role includes the ones before it."""

    VIEWER = "viewer"  # sees everything but readers' addresses
    EDITOR = "editor"  # edits feeds, digests and drafts
    PUBLISHER = "publisher"  # approves and sends issues
    ADMIN = "admin"  # manages operators, newsletters and consent wordings, and answers readers' GDPR requests

    def includes(self, other: "Role") -> bool:
        """Whether whoever has this role may do what the other one allows."""
        return _RANKS[self] >= _RANKS[other]


_RANKS = {role: rank for rank, role in enumerate(Role)}
