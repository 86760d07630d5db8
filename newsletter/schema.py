"""The whole schema: importing this module makes every table known to the metadata."""

from newsletter import acts, known_keys, newsletters, operators, ticks
from newsletter.consent import exhibits, ledger, seals, signups, subscribers, suppressions, wordings
from newsletter.content import articles, digests, feeds, issues, pictures
from newsletter.database import Base
from newsletter.post import bulletins, carriers, deliveries, letters

ROOMS = (
    newsletters,
    operators,
    acts,
    exhibits,
    wordings,
    subscribers,
    signups,
    ledger,
    seals,
    suppressions,
    feeds,
    articles,
    pictures,
    digests,
    issues,
    letters,
    carriers,
    deliveries,
    bulletins,
    known_keys,
    ticks,
)

metadata = Base.metadata
