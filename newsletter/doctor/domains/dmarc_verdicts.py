"""Verdicts on DMARC (RFC 9989): the policy that applies to the domain in From, and what aligns with it."""

from collections.abc import Iterator

from newsletter.doctor.domains import dmarc
from newsletter.doctor.domains.dmarc import Policy
from newsletter.doctor.domains.dns import Resolver, Unanswered
from newsletter.doctor.domains.verdicts import Verdict, advice, ok, unknown, wrong

POLICIES = ("none", "quarantine", "reject")
REMOVED = ("pct", "rf", "ri")
FLAGS = {"adkim": "rs", "aspf": "rs", "t": "yn", "psd": "ynu"}


def judge(resolver: Resolver, domain: str, *, return_path: str) -> Iterator[Verdict]:
    """The policy for letters From this domain, and whether their return path aligns with it."""
    try:
        several = dmarc.published(resolver, domain)
        policy = dmarc.applying(resolver, domain)
        if policy is None or len(several) > 1:
            yield _missing(domain, several)
            return
        yield from _policy(domain, policy)
        yield _alignment(resolver, domain, return_path, policy)
    except Unanswered as error:
        yield unknown("dmarc", domain, str(error))


def wanted(domain: str) -> str:
    """A record to begin with: it changes nothing and lets reports come."""
    return f"_dmarc.{domain}  v=DMARC1; p=none; rua=mailto:postmaster@{domain}"


def _missing(domain: str, several: list[str]) -> Verdict:
    if several:
        says = f"there are {len(several)} DMARC records; with more than one, none counts"
        return wrong("dmarc", domain, says, found=" | ".join(several), publish=wanted(domain))
    says = "there is no DMARC record, neither for it nor above it; large mailbox providers refuse bulk mail without one"
    return wrong("dmarc", domain, says, publish=wanted(domain))


def _policy(domain: str, policy: Policy) -> Iterator[Verdict]:
    asked = policy.tags.get("p", "").lower()
    reported = policy.tags.get("rua", "")
    bad = [name for name in ("sp", "np") if policy.tags.get(name, "none").lower() not in POLICIES]
    if (asked not in POLICIES or bad) and "mailto:" not in reported.lower():
        which = "no p= that receivers know" if asked not in POLICIES else f"a {bad[0]}= that receivers do not know"
        says = f"it has {which} and no rua=, so no DMARC applies at all"
        yield wrong("dmarc", domain, says, found=policy.text, publish=wanted(domain))
        return
    where = "" if policy.domain == domain else f", found at {policy.domain}"
    asked = _asked(domain, policy)
    if asked == "none":
        says = f"p=none is accepted{where}; once reports show that all your mail passes, p=quarantine protects the name"
        yield advice("dmarc", domain, says, found=policy.text)
    else:
        yield ok("dmarc", domain, f"what fails is to be treated with: {asked}{where}", found=policy.text)
    yield from _hints(domain, policy, reported)


def _asked(domain: str, policy: Policy) -> str:
    """What applies to the domain: for one below the record's own, `sp` goes before `p`."""
    chosen = policy.tags.get("p", "none")
    if policy.domain != domain:
        chosen = policy.tags.get("sp", chosen)
    return chosen.lower() if chosen.lower() in POLICIES else "none"


def _hints(domain: str, policy: Policy, reported: str) -> Iterator[Verdict]:
    if gone := [name for name in REMOVED if name in policy.tags]:
        says = f"{', '.join(gone)} went with RFC 7489; RFC 9989 knows them no more, and receivers pass over them"
        yield advice("dmarc", domain, says, found=policy.text)
    for name, allowed in FLAGS.items():
        if (value := policy.tags.get(name, allowed[0]).lower()) not in tuple(allowed):
            says = f"{name}={value[:20]} says nothing; it is one of {', '.join(allowed)}"
            yield advice("dmarc", domain, says, found=policy.text)
    if policy.tags.get("t", "n").lower() == "y":
        yield advice("dmarc", domain, "t=y asks receivers to apply the next milder policy", found=policy.text)
    if not reported:
        says = "without rua= no reports come, and nobody tells you what fails"
        yield advice(
            "dmarc", domain, says, publish=f"{policy.text.rstrip('; ')}; rua=mailto:postmaster@{policy.domain}"
        )


def _alignment(resolver: Resolver, domain: str, return_path: str, policy: Policy) -> Verdict:
    """Whether an SPF pass of the return path counts for DMARC; a signature with d= of the domain does as well."""
    if dmarc.aligned(resolver, return_path, domain, strict=policy.is_strict("aspf")):
        return ok("alignment", domain, f"the return path's domain {return_path} aligns with it")
    says = (
        f"the return path's domain {return_path} does not align with it"
        f"{' (aspf=s wants the very same)' if policy.is_strict('aspf') else ''}: SPF does not help DMARC, "
        f"so letters need a DKIM signature with d={domain}"
    )
    return advice("alignment", domain, says)
