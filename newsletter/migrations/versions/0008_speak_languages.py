"""Speak languages

Forms are kept as they were published, subscriptions remember their language, and wordings the information of GDPR
Art. 13 beside their text. Issues get a heading and an introduction, newsletters a logo, pictures a thumbnail. Only
columns and a table are added, so the release before runs beside this one.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
COLUMNS: dict[str, list[sa.Column[Any]]] = {
    "newsletters": [
        sa.Column("other_languages", sa.JSON(), nullable=True),
        sa.Column("sender_name", sa.String(), nullable=True),
        sa.Column("logo_sha256", sa.String(64), nullable=True),
    ],
    "wordings": [
        sa.Column("newsletters", sa.JSON(), nullable=True),
        sa.Column("information", sa.JSON(), nullable=True),
    ],
    "signups": [
        sa.Column("form_id", ID, nullable=True),
        sa.Column("language", sa.String(35), nullable=True),
    ],
    "subscriptions": [sa.Column("language", sa.String(35), nullable=True)],
    "issues": [
        sa.Column("heading", sa.String(), nullable=True),
        sa.Column("introduction", sa.String(), nullable=True),
    ],
    "articles": [sa.Column("has_whole_text", sa.Boolean(), nullable=True)],
    "pictures": [sa.Column("thumbnail_sha256", sa.String(64), nullable=True)],
}


def upgrade() -> None:
    op.create_table(
        "forms",
        sa.Column("id", ID, nullable=False),
        sa.Column("wording_id", ID, nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("newsletters", sa.JSON(), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("exhibit", sa.String(64), nullable=False),
        sa.Column("published_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["exhibit"], ["exhibits.sha256"], name=op.f("fk_forms_exhibit_exhibits")),
        sa.ForeignKeyConstraint(["wording_id"], ["wordings.id"], name=op.f("fk_forms_wording_id_wordings")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forms")),
        sa.UniqueConstraint("wording_id", "kind", "exhibit", name=op.f("uq_forms_wording_id_kind_exhibit")),
        sqlite_autoincrement=True,
    )
    # Last, because a new column stops even reading until the transaction ends.
    for table, columns in COLUMNS.items():
        for column in columns:
            op.add_column(table, column)
