"""The whole schema: importing this module registers every table in `metadata`."""

from newsletter import audit_log, key_registry, newsletters, operators
from newsletter.consent import exhibits, forms, ledger, seals, signups, subscribers, suppressions, wordings
from newsletter.consent.limits import pressure, tickets
from newsletter.content.articles import appearances, articles, picture_files
from newsletter.content.digests import digests
from newsletter.content.feeds import feeds
from newsletter.content.issues import issues
from newsletter.mail.delivery import deliveries, leases
from newsletter.mail.letters import letters
from newsletter.mail.pace import notices
from newsletter.mail.transport import relay_capabilities
from newsletter.queues import heartbeats
from newsletter.store.database import Base

TABLE_MODULES = (
    newsletters,
    operators,
    audit_log,
    exhibits,
    wordings,
    forms,
    subscribers,
    signups,
    tickets,
    pressure,
    ledger,
    seals,
    suppressions,
    feeds,
    articles,
    appearances,
    picture_files,
    digests,
    issues,
    letters,
    leases,
    deliveries,
    notices,
    relay_capabilities,
    key_registry,
    heartbeats,
)

metadata = Base.metadata
