"""Bound sign-ups

Tickets bound the confirmation letters of an inbox; counts of letters bound those of a network, of a domain and of all.
A sign-up over those limits waits in the slow lane, a nullable column. What relays can take is stored, so that the form
can refuse an address that none of them can. Only columns, indexes and tables are added, so the release before runs
beside this one.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
COLUMNS: dict[str, list[sa.Column[Any]]] = {
    "signups": [
        sa.Column("network_key", sa.String(80), server_default=sa.text("''"), nullable=False),
        sa.Column("asked_at", TIME, nullable=True),
        sa.Column("slow_lane_at", TIME, nullable=True),
        sa.Column("lifts_suppression", sa.Boolean(), nullable=True),
    ],
    "suppressions": [sa.Column("letter_allowed_at", TIME, nullable=True)],
    "subscribers": [sa.Column("fold_key", sa.String(64), nullable=True)],
    "subscriptions": [sa.Column("proof_erased_at", TIME, nullable=True)],
}


def upgrade() -> None:
    op.create_table(
        "tickets",
        sa.Column("fold_key", sa.String(64), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("taken_at", TIME, nullable=False),
        sa.Column("occasion", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("fold_key", "number", name=op.f("pk_tickets")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tickets_taken_at", "tickets", ["taken_at"])
    op.create_table(
        "letter_counts",
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("n", ID, nullable=False),
        sa.PrimaryKeyConstraint("key", "since", name=op.f("pk_letter_counts")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_letter_counts_since", "letter_counts", ["since"])
    op.create_table(
        "relay_capabilities",
        sa.Column("place", sa.String(255), nullable=False),
        sa.Column("takes_utf8", sa.Boolean(), nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_relay_capabilities")),
        sqlite_autoincrement=True,
    )
    # Letters of deleted sign-ups are folded into a total, and their texts deleted.
    op.create_index("ix_deliveries_variant_id", "deliveries", ["variant_id"])
    gone = sa.text("signup_id IS NULL AND kind = 'confirmation'")
    op.create_index("ix_letters_signup_is_gone", "letters", ["id"], postgresql_where=gone, sqlite_where=gone)
    # Last, because a new column stops even reading until the transaction ends.
    for table, columns in COLUMNS.items():
        for column in columns:
            op.add_column(table, column)
    received, slow = sa.text("state = 'received'"), sa.text("slow_lane_at IS NOT NULL")
    asked = sa.text("state = 'asked'")
    op.create_index("ix_signups_asked", "signups", ["address_key"], postgresql_where=asked, sqlite_where=asked)
    op.create_index(
        "ix_signups_received_by_network",
        "signups",
        ["network_key", "id"],
        postgresql_where=received,
        sqlite_where=received,
    )
    op.create_index(
        "ix_signups_slow_lane",
        "signups",
        ["network_key", "slow_lane_at", "id"],
        postgresql_where=slow,
        sqlite_where=slow,
    )
    op.create_index("ix_subscribers_fold_key", "subscribers", ["fold_key"])
    with_proof = sa.text("standing = 'left' AND (proof_erased_at IS NULL OR proof_erased_at < since)")
    op.create_index(
        "ix_subscriptions_left_with_proof",
        "subscriptions",
        ["since"],
        postgresql_where=with_proof,
        sqlite_where=with_proof,
    )
