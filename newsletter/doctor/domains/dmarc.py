"""Find the DMARC policy and the organization of a domain by walking up the DNS tree (RFC 9989).

RFC 9989 replaces RFC 7489 and its list of public suffixes.
"""

from typing import NamedTuple

from newsletter.doctor.domains import tags
from newsletter.doctor.domains.dns import Resolver

MAX_LABELS = 8  # a longer domain is cut to 7 labels for the second query (RFC 9989, DNS Tree Walk)


class Policy(NamedTuple):
    """A DMARC record and the domain that publishes it."""

    domain: str
    text: str
    tags: dict[str, str]

    @property
    def psd(self) -> str:
        """Whether the domain is a public suffix: y, n, or u if the record does not say."""
        return self.tags.get("psd", "u").lower()

    def is_strict(self, tag: str) -> bool:
        """Return whether the tag `aspf` or `adkim` requires the same domain."""
        return self.tags.get(tag, "r").lower() == "s"


def published(resolver: Resolver, domain: str) -> list[str]:
    """Return the DMARC records of a domain. Raises LookupFailed."""
    found = resolver.lookup(f"_dmarc.{domain}", "TXT").records
    return [text for text in found if text.partition(";")[0].replace(" ", "") == "v=DMARC1"]


def _policy(resolver: Resolver, domain: str) -> Policy | None:
    found = published(resolver, domain)
    read = tags.read(found[0]) if len(found) == 1 else None  # receivers ignore several records
    return Policy(domain, found[0], read) if read else None


def steps(domain: str) -> list[str]:
    """Return the domains to look up, from the domain itself up to the last label: at most eight."""
    labels = domain.split(".")
    above = labels[1:] if len(labels) < MAX_LABELS else labels[-(MAX_LABELS - 1) :]
    return [domain, *(".".join(above[start:]) for start in range(len(above)))]


def walk(resolver: Resolver, domain: str) -> list[Policy]:
    """Return the records on the way up, longest name first. A `psd=y` or `psd=n` ends it. Raises LookupFailed."""
    found: list[Policy] = []
    for step in steps(domain):
        if policy := _policy(resolver, step):
            found.append(policy)
            if policy.psd in ("y", "n"):
                break
    return found


def organization(resolver: Resolver, domain: str) -> str:
    """Return the organizational domain. Two domains with the same one align. Raises LookupFailed."""
    policies = walk(resolver, domain)
    for policy in policies:
        if policy.psd == "n":
            return policy.domain
        if policy.psd == "y" and policy.domain != domain:
            below = len(policy.domain.split(".")) + 1
            return ".".join(domain.split(".")[-below:])
    return policies[-1].domain if policies else domain


def applying(resolver: Resolver, domain: str) -> Policy | None:
    """Return the record that receivers apply: of the domain, its organization or its public suffix."""
    policies = {policy.domain: policy for policy in walk(resolver, domain)}
    suffix = next((policy for policy in policies.values() if policy.psd == "y"), None)
    return policies.get(domain) or policies.get(organization(resolver, domain)) or suffix


def aligned(resolver: Resolver, one: str, other: str, *, strict: bool) -> bool:
    """Return whether an authenticated domain aligns with the domain in From. Raises LookupFailed."""
    if one == other or strict:
        return one == other
    return organization(resolver, one) == organization(resolver, other)
