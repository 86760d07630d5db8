"""A newsletter as part of a cache's key: what letters show of it, in values that compare and hash."""

from typing import Any

from newsletter.newsletters import Newsletter

NewsletterColumns = tuple[tuple[str, Any], ...]  # column and value

# The list of languages cannot be part of a key, and no letter shows it.
COLUMNS = [column.key for column in Newsletter.__table__.columns if column.key not in ("id", "other_languages")]


def columns_of(newsletter: Newsletter) -> NewsletterColumns:
    """Return all columns of a newsletter but its id and its list of languages."""
    return tuple((name, getattr(newsletter, name)) for name in COLUMNS)


def newsletter_of(columns: NewsletterColumns) -> Newsletter:
    """Return a newsletter with these columns. It belongs to no session: lay letters out with it, store nothing."""
    return Newsletter(**dict(columns))
