"""How long the link of a confirmation letter confirms, also of a letter to a reader's new address."""

from datetime import timedelta

LINK_HOURS = 72
LINK_LIFETIME = timedelta(hours=LINK_HOURS)  # an unconfirmed address is kept as long
