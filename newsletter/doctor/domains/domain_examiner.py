"""Examine the domains of newsletters, as they send and as the service is set up."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from newsletter.doctor.domains import assessment, site_verdicts
from newsletter.doctor.domains.assessment import Domains
from newsletter.doctor.domains.dns import DnsResolver, Resolver
from newsletter.doctor.domains.verdicts import Verdict
from newsletter.newsletters import Newsletter
from newsletter.relays import Relay


@dataclass(frozen=True)
class DomainExaminer:
    """How the service sends, and the DNS servers to ask."""

    base_url: str
    is_public_http: bool
    ehlo_name: str
    relays: Sequence[Relay] = field(repr=False)
    resolver: Callable[[], Resolver] = DnsResolver  # a new one for each examination: a resolver keeps what it found

    def examine(self, newsletters: Iterable[Newsletter], *, selectors: Sequence[str] = ()) -> list[Verdict]:
        """Return the verdicts on each set of domains once, even if several newsletters share it. Asks the DNS."""
        resolver = self.resolver()
        sets = dict.fromkeys(map(domains_of, newsletters))
        verdicts = (
            assessment.examine(resolver, domains, relays=self.relays, ehlo_name=self.ehlo_name, selectors=selectors)
            for domains in sets
        )
        own = site_verdicts.judge(self.base_url, is_public_http=self.is_public_http, relays=self.relays)
        return list(dict.fromkeys([*(verdict for each in verdicts for verdict in each), *(own if sets else ())]))


def domains_of(newsletter: Newsletter) -> Domains:
    """Return the domains that a newsletter sends from, and that receive its replies and bounces."""
    return Domains(_domain(newsletter.sender), _domain(newsletter.reply_to), newsletter.return_path_domain)


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
