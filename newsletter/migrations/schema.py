"""The whole schema: importing this module registers every table in `metadata`."""

from newsletter import audit_log, key_registry, newsletters, registered_sites
from newsletter.consent.counts import day_counts
from newsletter.consent.decisions import leaving_reasons
from newsletter.consent.ledger import ledger, seals
from newsletter.consent.limits import pressure, tickets, used_solutions
from newsletter.consent.signups import signups
from newsletter.consent.subscribers import address_changes, moved_subscriptions, subscribers, suppressions
from newsletter.consent.wordings import box_texts, exhibits, forms, wordings
from newsletter.content.articles import appearances, articles, picture_files
from newsletter.content.digests import digests
from newsletter.content.feeds import feeds, requested_looks
from newsletter.content.issues import issues
from newsletter.doctor.domains import domain_checks
from newsletter.legal_pages import page_texts
from newsletter.mail.delivery import deliveries, delivery_counts, leases
from newsletter.mail.letters import letters
from newsletter.mail.pace import notices
from newsletter.mail.transport import relay_capabilities
from newsletter.operators import (
    grants,
    identities,
    operator_links,
    operators,
    recovery_codes,
    sessions,
    sign_in_failures,
)
from newsletter.queues import heartbeats
from newsletter.store.database import Base

TABLE_MODULES = (
    newsletters,
    registered_sites,
    page_texts,
    operators,
    grants,
    sessions,
    operator_links,
    recovery_codes,
    identities,
    sign_in_failures,
    audit_log,
    exhibits,
    wordings,
    forms,
    box_texts,
    subscribers,
    moved_subscriptions,
    address_changes,
    leaving_reasons,
    signups,
    tickets,
    pressure,
    used_solutions,
    ledger,
    seals,
    day_counts,
    suppressions,
    feeds,
    requested_looks,
    articles,
    appearances,
    picture_files,
    digests,
    issues,
    letters,
    leases,
    deliveries,
    delivery_counts,
    domain_checks,
    notices,
    relay_capabilities,
    key_registry,
    heartbeats,
)

metadata = Base.metadata
