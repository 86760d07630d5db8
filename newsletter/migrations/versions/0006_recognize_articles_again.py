"""Recognize articles again

A table of appearances tells in which feeds an article was offered and by which keys it is recognized there. Feeds can
be paused, renamed and removed; a picture has several candidates and tries; a generated title follows its articles.
Only columns, one table and its rows are added, so the release before runs beside this one.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
COLUMNS: dict[str, list[sa.Column[Any]]] = {
    "feeds": [
        sa.Column("own_title", sa.String(), nullable=True),
        sa.Column("read_at", TIME, nullable=True),
        sa.Column("overruns", ID, server_default="0", nullable=False),
        sa.Column("paused_at", TIME, nullable=True),
        sa.Column("removed_at", TIME, nullable=True),
    ],
    "articles": [
        sa.Column("pictures", sa.JSON(), nullable=True),
        sa.Column("picture_tries", ID, server_default="0", nullable=False),
        sa.Column("picture_due_at", TIME, nullable=True),
        sa.Column("changed_at", TIME, nullable=True),
    ],
    "issues": [sa.Column("has_generated_title", sa.Boolean(), server_default=sa.false(), nullable=False)],
}


def upgrade() -> None:
    op.create_table(
        "appearances",
        sa.Column("feed_id", ID, nullable=False),
        sa.Column("article_id", ID, nullable=False),
        sa.Column("identity", sa.String(255), nullable=False),
        sa.Column("link_key", sa.String(64), nullable=True),
        sa.Column("text_key", sa.String(64), nullable=True),
        sa.Column("seen_at", TIME, nullable=True),
        sa.Column("left_at", TIME, nullable=True),
        sa.Column("is_withdrawn", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_appearances_feed_id_feeds")),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_appearances_article_id_articles")),
        sa.PrimaryKeyConstraint("feed_id", "article_id", name=op.f("pk_appearances")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_appearances_feed_id_appearances_identity", "appearances", ["feed_id", "identity"])
    is_listed = sa.text("left_at IS NULL")
    op.create_index(
        "ix_appearances_listed", "appearances", ["feed_id"], postgresql_where=is_listed, sqlite_where=is_listed
    )
    for name in ("article_id", "link_key", "text_key"):
        op.create_index(f"ix_appearances_{name}", "appearances", [name])
    op.execute("INSERT INTO appearances (feed_id, article_id, identity) SELECT feed_id, id, identity FROM articles")
    # Last, because a new column stops even reading until the transaction ends, and the rows above take long.
    for table, columns in COLUMNS.items():
        for column in columns:
            op.add_column(table, column)
    due = sa.text("picture_due_at IS NOT NULL")
    op.create_index(
        "ix_articles_picture_due_at", "articles", ["picture_due_at"], postgresql_where=due, sqlite_where=due
    )
