"""Judge DMARC (RFC 9989): the policy that applies to the domain in From, and the alignment of the return path."""

from collections.abc import Iterator

from newsletter.doctor.domains import dmarc
from newsletter.doctor.domains.dmarc import Policy
from newsletter.doctor.domains.dns import LookupFailed, Resolver
from newsletter.doctor.domains.verdicts import Verdict, advice, ok, unknown, wrong
from newsletter.plain_text import shown

POLICIES = ("none", "quarantine", "reject")
REMOVED_TAGS = ("pct", "rf", "ri")
FLAG_VALUES = {"adkim": "rs", "aspf": "rs", "t": "yn", "psd": "ynu"}


def judge(resolver: Resolver, domain: str, *, return_path: str) -> Iterator[Verdict]:
    """Judge the policy for letters From this domain, and whether their return path aligns with it."""
    try:
        records = dmarc.published(resolver, domain)
        policy = dmarc.applying(resolver, domain)
        if policy is None or len(records) > 1:
            yield _missing(domain, records)
            return
        yield from _policy(domain, policy)
        yield _alignment(resolver, domain, return_path, policy)
    except LookupFailed as error:
        yield unknown("dmarc", domain, str(error))


def starter_record(domain: str) -> str:
    """Return a record to begin with: it changes nothing for receivers and asks for reports."""
    return f"_dmarc.{domain}  v=DMARC1; p=none; rua=mailto:postmaster@{domain}"


def _missing(domain: str, records: list[str]) -> Verdict:
    if records:
        says = f"there are {len(records)} DMARC records; receivers ignore all if there is more than one"
        return wrong("dmarc", domain, says, found=" | ".join(records), publish=starter_record(domain))
    says = "neither it nor a parent domain has a DMARC record; large mailbox providers refuse bulk mail without one"
    return wrong("dmarc", domain, says, publish=starter_record(domain))


def _policy(domain: str, policy: Policy) -> Iterator[Verdict]:
    published = policy.tags.get("p", "").lower()
    reports = policy.tags.get("rua", "")
    unknown_tags = [name for name in ("sp", "np") if policy.tags.get(name, "none").lower() not in POLICIES]
    if (published not in POLICIES or unknown_tags) and "mailto:" not in reports.lower():
        which = "no p= that receivers know" if published not in POLICIES else f"an unknown policy in {unknown_tags[0]}="
        says = f"it has {which}, and no rua=, so receivers apply no DMARC at all"
        yield wrong("dmarc", domain, says, found=policy.text, publish=starter_record(domain))
        return
    where = "" if policy.domain == domain else f", found at {policy.domain}"
    requested = _requested(domain, policy)
    if requested == "none":
        says = f"p=none is accepted{where}; when reports show that all your mail passes, p=quarantine protects the name"
        yield advice("dmarc", domain, says, found=policy.text)
    else:
        yield ok("dmarc", domain, f"receivers are asked to {requested} letters that fail{where}", found=policy.text)
    yield from _hints(domain, policy, reports)


def _requested(domain: str, policy: Policy) -> str:
    """Return the policy for the domain. For a subdomain of the record's domain, `sp` overrides `p`."""
    chosen = policy.tags.get("p", "none")
    if policy.domain != domain:
        chosen = policy.tags.get("sp", chosen)
    return chosen.lower() if chosen.lower() in POLICIES else "none"


def _hints(domain: str, policy: Policy, reports: str) -> Iterator[Verdict]:
    if removed := [name for name in REMOVED_TAGS if name in policy.tags]:
        says = f"removed from DMARC by RFC 9989, and ignored by receivers: {', '.join(removed)}"
        yield advice("dmarc", domain, says, found=policy.text)
    for name, allowed in FLAG_VALUES.items():
        if (value := policy.tags.get(name, allowed[0]).lower()) not in tuple(allowed):
            says = f"{name}={shown(value)} has no meaning; use one of {', '.join(allowed)}"
            yield advice("dmarc", domain, says, found=policy.text)
    if policy.tags.get("t", "n").lower() == "y":
        yield advice("dmarc", domain, "t=y (testing) asks receivers to apply the next milder policy", found=policy.text)
    if not reports:
        says = "without rua= you get no reports, so you do not learn which letters fail"
        yield advice(
            "dmarc", domain, says, publish=f"{policy.text.rstrip('; ')}; rua=mailto:postmaster@{policy.domain}"
        )


def _alignment(resolver: Resolver, domain: str, return_path: str, policy: Policy) -> Verdict:
    """Judge whether an SPF pass of the return path counts for DMARC. A DKIM signature of the domain counts too."""
    if dmarc.aligned(resolver, return_path, domain, strict=policy.is_strict("aspf")):
        return ok("alignment", domain, f"the return path's domain {return_path} aligns with it")
    says = (
        f"the return path's domain {return_path} does not align with it"
        f"{' (aspf=s requires the same domain)' if policy.is_strict('aspf') else ''}: SPF does not count for DMARC, "
        f"so letters need a DKIM signature with d={domain}"
    )
    return advice("alignment", domain, says)
