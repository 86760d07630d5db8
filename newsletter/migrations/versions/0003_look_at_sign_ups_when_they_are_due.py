"""Look at sign-ups when they are due

No row is written here, however many there are: the column's default is a constant, which both databases note once for
the whole table. It lets the workers look at each row soon and give it its time; so they do with what a process of the
release before receives meanwhile.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    at_once = sa.text("'1970-01-01 00:00:00'")
    forget_at = sa.Column("forget_at", sa.DateTime(timezone=True), server_default=at_once, nullable=False)
    op.add_column("signups", forget_at)
    op.create_index(op.f("ix_signups_forget_at"), "signups", ["forget_at"], unique=False)
    op.drop_index(op.f("ix_signups_received_at"), table_name="signups")
