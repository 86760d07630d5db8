"""Claim without writing an index

What is open is found by two indexes, in which no column changes when a letter is claimed; those of what waits and of
what is claimed go, and so does the foreign key that was looked up for each letter. Building the two reads the table of
deliveries once, and letters wait meanwhile: nobody who signs up, confirms or leaves does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_deliveries_urgent": (["due_at", "id"], "decided_at IS NULL AND priority = 0"),
    "ix_deliveries_bulk": (["letter_id", "due_at", "id"], "decided_at IS NULL AND priority = 1"),
}
FOREIGN_KEY = "fk_deliveries_carrier_id_carriers"

# Pages are filled to less than half with rows that wait, so that each row's next version fits beside it: only so is a
# claim written into no index. What is decided goes to the room that is left there, or to the table's end.
STORED = """
    ALTER TABLE deliveries SET (
        fillfactor = 45,
        autovacuum_vacuum_scale_factor = 0.05,
        autovacuum_analyze_scale_factor = 0.05
    )
"""


def upgrade() -> None:
    op.add_column("carriers", sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    if on_postgresql:
        op.drop_constraint(FOREIGN_KEY, "deliveries", type_="foreignkey")
        op.execute(STORED)
    else:
        with op.batch_alter_table("deliveries", table_kwargs={"sqlite_autoincrement": True}) as table:
            table.drop_constraint(FOREIGN_KEY, type_="foreignkey")
    for name, (columns, condition) in INDEXES.items():
        where = sa.text(condition)
        op.create_index(name, "deliveries", columns, sqlite_where=where, postgresql_where=where)
    op.drop_index("ix_deliveries_waiting", table_name="deliveries")
    op.drop_index("ix_deliveries_claimed", table_name="deliveries")
