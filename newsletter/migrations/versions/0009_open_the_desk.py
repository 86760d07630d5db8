"""Open the desk

Operators get passwords, sessions, grants, links and identities. Counts, checks and looks are stored, so that no page
computes them. A letter to an operator belongs to no newsletter, and an issue may be sent at another time than its run.
The release before reads everything as it did; letters without a newsletter wait until its last worker has ended.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "day_counts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("newsletter_id", ID, nullable=False),
        sa.Column("joined", ID, nullable=False),
        sa.Column("left", ID, nullable=False),
        sa.Column("readers", ID, nullable=False),
        sa.Column("counted_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("day", "newsletter_id", name=op.f("pk_day_counts")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("n", ID, nullable=False),
        sa.PrimaryKeyConstraint("key", "since", name=op.f("pk_sign_in_failures")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "domain_checks",
        sa.Column("newsletter_id", ID, nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("checked_at", TIME, nullable=True),
        sa.Column("verdicts", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["newsletter_id"], ["newsletters.id"], name=op.f("fk_domain_checks_newsletter_id_newsletters")
        ),
        sa.PrimaryKeyConstraint("newsletter_id", name=op.f("pk_domain_checks")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "grants",
        sa.Column("id", ID, nullable=False),
        sa.Column("operator_id", ID, nullable=False),
        sa.Column("newsletter_id", ID, nullable=True),
        sa.Column("role", sa.String(length=24), nullable=False),
        sa.ForeignKeyConstraint(
            ["newsletter_id"], ["newsletters.id"], name=op.f("fk_grants_newsletter_id_newsletters")
        ),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_grants_operator_id_operators"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("grants") as batch_op:
        batch_op.create_index(
            "uq_grants_operator_id_everywhere",
            ["operator_id"],
            unique=True,
            sqlite_where=sa.text("newsletter_id IS NULL"),
            postgresql_where=sa.text("newsletter_id IS NULL"),
        )
        batch_op.create_index("uq_grants_operator_id_newsletter_id", ["operator_id", "newsletter_id"], unique=True)

    op.create_table(
        "operator_identities",
        sa.Column("id", ID, nullable=False),
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("operator_id", ID, nullable=False),
        sa.Column("linked_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id"],
            ["operators.id"],
            name=op.f("fk_operator_identities_operator_id_operators"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_identities")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_operator_identities_issuer_subject")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("operator_identities") as batch_op:
        batch_op.create_index(batch_op.f("ix_operator_identities_operator_id"), ["operator_id"])

    op.create_table(
        "operator_links",
        sa.Column("id", ID, nullable=False),
        sa.Column("operator_id", ID, nullable=False),
        sa.Column("purpose", sa.String(length=24), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_operator_links_operator_id_operators"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_links")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("operator_links") as batch_op:
        batch_op.create_index(batch_op.f("ix_operator_links_operator_id"), ["operator_id"])

    op.create_table(
        "operator_sessions",
        sa.Column("id", ID, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("operator_id", ID, nullable=False),
        sa.Column("stage", sa.String(length=24), nullable=False),
        sa.Column("device", sa.String(length=300), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["operator_id"],
            ["operators.id"],
            name=op.f("fk_operator_sessions_operator_id_operators"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_operator_sessions_token_hash")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("operator_sessions") as batch_op:
        batch_op.create_index(batch_op.f("ix_operator_sessions_operator_id"), ["operator_id"])

    op.create_table(
        "recovery_codes",
        sa.Column("operator_id", ID, nullable=False),
        sa.Column("code_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_recovery_codes_operator_id_operators"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("operator_id", "code_hash", name=op.f("pk_recovery_codes")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "requested_looks",
        sa.Column("id", ID, nullable=False),
        sa.Column("newsletter_id", ID, nullable=False),
        sa.Column("feed_id", ID, nullable=True),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("looked_at", TIME, nullable=True),
        sa.Column("outcome", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["feed_id"], ["feeds.id"], name=op.f("fk_requested_looks_feed_id_feeds"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["newsletter_id"], ["newsletters.id"], name=op.f("fk_requested_looks_newsletter_id_newsletters")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requested_looks")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "delivery_counts",
        sa.Column("letter_id", ID, nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("counted_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"], name=op.f("fk_delivery_counts_letter_id_letters")),
        sa.PrimaryKeyConstraint("letter_id", name=op.f("pk_delivery_counts")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("acts") as batch_op:
        batch_op.add_column(sa.Column("newsletter_id", ID, nullable=True))
        batch_op.create_index(batch_op.f("ix_acts_actor_acts_id"), ["actor", "id"])
        batch_op.create_index(batch_op.f("ix_acts_at"), ["at"])
        batch_op.create_index(batch_op.f("ix_acts_newsletter_id_acts_id"), ["newsletter_id", "id"])
        batch_op.create_index(batch_op.f("ix_acts_subject_acts_id"), ["subject", "id"])

    with op.batch_alter_table("issues") as batch_op:
        batch_op.add_column(sa.Column("preheader", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("due_at", TIME, nullable=True))
        batch_op.create_index(batch_op.f("ix_issues_run_at_issues_id"), ["run_at", "id"])
        batch_op.create_index(batch_op.f("ix_issues_sent_at"), ["sent_at"])

    with op.batch_alter_table("ledger") as batch_op:
        batch_op.create_index(batch_op.f("ix_ledger_at"), ["at"])

    with op.batch_alter_table("letters", table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        batch_op.add_column(sa.Column("sender", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("operator_link_id", ID, nullable=True))
        batch_op.alter_column("newsletter_id", existing_type=ID, nullable=True)
        batch_op.create_foreign_key(
            batch_op.f("fk_letters_operator_link_id_operator_links"),
            "operator_links",
            ["operator_link_id"],
            ["id"],
            ondelete="SET NULL",
        )
        test = sa.text("kind = 'test'")
        batch_op.create_index("ix_letters_test", ["written_at"], sqlite_where=test, postgresql_where=test)

    op.add_column("feeds", sa.Column("failing_since", TIME, nullable=True))
    op.add_column("operators", sa.Column("name", sa.String(length=200), server_default=sa.text("''"), nullable=False))
    op.add_column("operators", sa.Column("zone", sa.String(length=64), nullable=True))
    op.add_column("operators", sa.Column("password_hash", sa.String(), nullable=True))
    op.add_column("operators", sa.Column("totp_secret", sa.LargeBinary(), nullable=True))
    op.add_column("operators", sa.Column("totp_confirmed_at", TIME, nullable=True))
    op.add_column("operators", sa.Column("totp_last_step", ID, nullable=True))
    op.add_column("operators", sa.Column("mail_off", sa.JSON(none_as_null=True), nullable=True))

    # Until now every operator had one role for everything.
    op.execute("INSERT INTO grants (operator_id, role) SELECT id, role FROM operators")
