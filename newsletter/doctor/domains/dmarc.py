"""DMARC (RFC 9989): policy and organisation of a domain, found by walking up the DNS tree.

It took the place of RFC 7489 and of its list of public suffixes.
"""

from typing import NamedTuple

from newsletter.doctor.domains import tags
from newsletter.doctor.domains.dns import Resolver

LABELS = 8  # a domain of more is shortened for the second question (RFC 9989, DNS Tree Walk)


class Policy(NamedTuple):
    """A DMARC record, and where it stands."""

    domain: str
    text: str
    tags: dict[str, str]

    @property
    def psd(self) -> str:
        """Whether the domain is a public suffix: y, n, or u for unsaid."""
        return self.tags.get("psd", "u").lower()

    def is_strict(self, about: str) -> bool:
        """Whether `aspf` or `adkim` wants the very same domain."""
        return self.tags.get(about, "r").lower() == "s"


def published(resolver: Resolver, domain: str) -> list[str]:
    """What of its TXT records is DMARC. Raises Unanswered."""
    found = resolver.ask(f"_dmarc.{domain}", "TXT").records
    return [text for text in found if text.partition(";")[0].replace(" ", "") == "v=DMARC1"]


def _policy(resolver: Resolver, domain: str) -> Policy | None:
    found = published(resolver, domain)
    read = tags.read(found[0]) if len(found) == 1 else None  # of several, none counts
    return Policy(domain, found[0], read) if read else None


def steps(domain: str) -> list[str]:
    """The domains that are asked about, from the domain itself up to the last label: eight at most."""
    labels = domain.split(".")
    above = labels[1:] if len(labels) < LABELS else labels[-(LABELS - 1) :]
    return [domain, *(".".join(above[start:]) for start in range(len(above)))]


def walk(resolver: Resolver, domain: str) -> list[Policy]:
    """The records on the way up, the longest name first; a `psd=y` or `psd=n` ends it. Raises Unanswered."""
    found: list[Policy] = []
    for step in steps(domain):
        if policy := _policy(resolver, step):
            found.append(policy)
            if policy.psd in ("y", "n"):
                break
    return found


def organisation(resolver: Resolver, domain: str) -> str:
    """The organisational domain: two domains of one organisation align. Raises Unanswered."""
    policies = walk(resolver, domain)
    for policy in policies:
        if policy.psd == "n":
            return policy.domain
        if policy.psd == "y" and policy.domain != domain:
            below = len(policy.domain.split(".")) + 1
            return ".".join(domain.split(".")[-below:])
    return policies[-1].domain if policies else domain


def applying(resolver: Resolver, domain: str) -> Policy | None:
    """The record that a receiver applies: the domain's own, its organisation's, or its public suffix's."""
    policies = {policy.domain: policy for policy in walk(resolver, domain)}
    suffix = next((policy for policy in policies.values() if policy.psd == "y"), None)
    return policies.get(domain) or policies.get(organisation(resolver, domain)) or suffix


def aligned(resolver: Resolver, one: str, other: str, *, strict: bool) -> bool:
    """Whether an authenticated domain speaks for the domain in From. Raises Unanswered."""
    if one == other or strict:
        return one == other
    return organisation(resolver, one) == organisation(resolver, other)
