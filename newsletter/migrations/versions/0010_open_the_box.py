"""Open the box

Sites are registered, sign-ups say what they replace and what a program may have filled in, and readers change their
address. The release before reads everything as it did; it cannot send welcome letters and letters about addresses.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "used_solutions",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_used_solutions")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("used_solutions") as batch_op:
        batch_op.create_index(batch_op.f("ix_used_solutions_expires_at"), ["expires_at"])

    op.create_table(
        "registered_sites",
        sa.Column("id", ID, nullable=False),
        sa.Column("newsletter_id", ID, nullable=False),
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("registered_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["newsletter_id"], ["newsletters.id"], name=op.f("fk_registered_sites_newsletter_id_newsletters")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registered_sites")),
        sa.UniqueConstraint("newsletter_id", "origin", name=op.f("uq_registered_sites_newsletter_id_origin")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "box_texts",
        sa.Column("newsletter_id", ID, nullable=False),
        sa.Column("others", sa.String(), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["newsletter_id"], ["newsletters.id"], name=op.f("fk_box_texts_newsletter_id_newsletters")
        ),
        sa.PrimaryKeyConstraint("newsletter_id", "others", "language", name=op.f("pk_box_texts")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "page_texts",
        sa.Column("newsletter_id", ID, nullable=False),
        sa.Column("page", sa.String(length=24), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["newsletter_id"], ["newsletters.id"], name=op.f("fk_page_texts_newsletter_id_newsletters")
        ),
        sa.PrimaryKeyConstraint("newsletter_id", "page", "language", name=op.f("pk_page_texts")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "leaving_reasons",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("newsletter_id", ID, nullable=False),
        sa.Column("reason", sa.String(length=24), nullable=False),
        sa.Column("comment", sa.String(length=500), nullable=True),
        sa.Column("given_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["newsletter_id"], ["newsletters.id"], name=op.f("fk_leaving_reasons_newsletter_id_newsletters")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_leaving_reasons")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("leaving_reasons") as batch_op:
        batch_op.create_index(batch_op.f("ix_leaving_reasons_given_at"), ["given_at"])
        batch_op.create_index(batch_op.f("ix_leaving_reasons_newsletter_id"), ["newsletter_id"])

    op.create_table(
        "address_changes",
        sa.Column("id", ID, nullable=False),
        sa.Column("subscriber_id", ID, nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("address_key", sa.String(), nullable=False),
        sa.Column("fold_key", sa.String(length=64), nullable=False),
        sa.Column("nonce", ID, nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("decided_at", TIME, nullable=True),
        sa.Column("answered_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_address_changes_subscriber_id_subscribers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_changes")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("address_changes") as batch_op:
        batch_op.create_index(batch_op.f("ix_address_changes_asked_at"), ["asked_at"])
        batch_op.create_index(batch_op.f("ix_address_changes_subscriber_id"), ["subscriber_id"])
    is_unanswered = sa.text("answered_at IS NULL AND state = 'asked'")
    op.create_index(
        "ix_address_changes_unanswered",
        "address_changes",
        ["id"],
        sqlite_where=is_unanswered,
        postgresql_where=is_unanswered,
    )

    op.create_table(
        "moved_subscriptions",
        sa.Column("former_id", ID, autoincrement=False, nullable=False),
        sa.Column("newsletter_id", ID, nullable=False),
        sa.Column("subscriber_id", ID, nullable=False),
        sa.Column("moved_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["newsletter_id"], ["newsletters.id"], name=op.f("fk_moved_subscriptions_newsletter_id_newsletters")
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_moved_subscriptions_subscriber_id_subscribers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("former_id", "newsletter_id", name=op.f("pk_moved_subscriptions")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_moved_subscriptions_subscriber_id"), "moved_subscriptions", ["subscriber_id"])

    # Partial, so that PostgreSQL does not take the address for a key: see the model. Both releases insert subscribers
    # with ON CONFLICT DO NOTHING, which needs no certain index.
    with op.batch_alter_table("subscribers", table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        batch_op.drop_constraint("uq_subscribers_address_key", type_="unique")
    is_known = sa.text("address_key IS NOT NULL")
    op.create_index(
        "uq_subscribers_address_key",
        "subscribers",
        ["address_key"],
        unique=True,
        sqlite_where=is_known,
        postgresql_where=is_known,
    )

    with op.batch_alter_table("letters", table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        batch_op.add_column(sa.Column("included_issue_id", ID, nullable=True))
        batch_op.add_column(sa.Column("address_change_id", ID, nullable=True))
        batch_op.create_index(batch_op.f("ix_letters_address_change_id"), ["address_change_id"])
        batch_op.create_foreign_key(
            batch_op.f("fk_letters_included_issue_id_issues"), "issues", ["included_issue_id"], ["id"]
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_letters_address_change_id_address_changes"),
            "address_changes",
            ["address_change_id"],
            ["id"],
            ondelete="SET NULL",
        )

    # Of letters that are sent once no urgent one is due. No row is of this priority yet, so the index is empty.
    is_soon = sa.text("decided_at IS NULL AND priority = 2")
    op.create_index(
        "ix_deliveries_soon", "deliveries", ["due_at", "id"], sqlite_where=is_soon, postgresql_where=is_soon
    )
    op.add_column("newsletters", sa.Column("site_url", sa.String(), nullable=True))
    op.add_column("newsletters", sa.Column("signup_thanks_url", sa.String(), nullable=True))
    op.add_column("newsletters", sa.Column("confirmed_thanks_url", sa.String(), nullable=True))
    op.add_column("newsletters", sa.Column("sends_welcome", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column(
        "newsletters", sa.Column("welcome_has_issue", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column("signups", sa.Column("replaces", sa.String(length=400), nullable=True))
    op.add_column("signups", sa.Column("doubt", sa.String(length=24), nullable=True))
    op.add_column("signups", sa.Column("solution", sa.String(length=2000), nullable=True))
    op.add_column("signups", sa.Column("replaced_at", TIME, nullable=True))
