"""Look up DNS records. A missing record and a failed lookup are different answers."""

import math
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
import dns.reversename

from newsletter.errors import NewsletterError

TRY_TIMEOUT = 2.0  # seconds
LOOKUP_TIMEOUT = 5.0  # seconds, for all tries together


class LookupFailed(NewsletterError):
    """The DNS did not answer."""


class DnsAnswer(NamedTuple):
    """The answer to one lookup."""

    records: tuple[str, ...]  # TXT joined; names without the last dot; MX as "10 mail.example.org"
    exists: bool = True  # False: the name does not exist (NXDOMAIN)
    alias: str | None = None  # the target of a CNAME


class Resolver(Protocol):
    """Looks up DNS records."""

    def lookup(self, name: str, kind: str) -> DnsAnswer:
        """Return the records of that kind (TXT, A, AAAA, MX, PTR). Raises LookupFailed if the DNS does not answer."""


class DnsResolver:
    """Uses the system's DNS servers, or the one given, and caches every answer and failure.

    Lookups together wait for `budget` seconds at most; those after that fail at once.
    """

    def __init__(
        self,
        nameserver: str | None = None,
        port: int = 53,
        *,
        try_timeout: float = TRY_TIMEOUT,
        timeout: float = LOOKUP_TIMEOUT,
        budget: float = math.inf,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        try:
            self._resolver = dns.resolver.Resolver(configure=nameserver is None)
        except dns.resolver.NoResolverConfiguration:
            raise LookupFailed("this machine has no DNS server configured; name one with --nameserver") from None
        if nameserver:
            self._resolver.nameservers = [nameserver]
            self._resolver.port = port
        self._resolver.timeout, self._resolver.lifetime = try_timeout, timeout
        self._cache: dict[tuple[str, str], DnsAnswer | LookupFailed] = {}
        self._monotonic, self._until = monotonic, monotonic() + budget

    def lookup(self, name: str, kind: str) -> DnsAnswer:
        """Return the records. Raises LookupFailed."""
        key = name.lower().rstrip("."), kind
        if key not in self._cache:
            try:
                self._cache[key] = self._query(*key)
            except LookupFailed as error:
                self._cache[key] = error
        answer = self._cache[key]
        if isinstance(answer, LookupFailed):
            raise answer
        return answer

    def _query(self, name: str, kind: str) -> DnsAnswer:
        if self._monotonic() >= self._until:
            raise LookupFailed(f"the DNS was too slow; {name} ({kind}) was not looked up any more")
        try:
            found = self._resolver.resolve(f"{name}.", kind, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return DnsAnswer((), exists=False)
        except dns.exception.Timeout:
            raise LookupFailed(f"the DNS lookup of {name} ({kind}) timed out") from None
        except dns.resolver.NoNameservers:
            raise LookupFailed(f"the DNS servers could not answer for {name} ({kind})") from None
        except (dns.exception.DNSException, OSError) as error:
            raise LookupFailed(f"the DNS lookup of {name} ({kind}) failed: {type(error).__name__}") from None
        canonical = _plain(found.canonical_name)
        records = tuple(sorted(_text(record) for record in found)) if found.rrset is not None else ()
        return DnsAnswer(records, alias=canonical if canonical != name else None)


def reverse(address: str) -> str:
    """Return the name of the PTR record of an address."""
    return _plain(dns.reversename.from_address(address))


def _plain(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _text(record: object) -> str:
    match getattr(record, "rdtype", None):
        case dns.rdatatype.TXT:
            return b"".join(record.strings).decode("ascii", "replace")  # type: ignore[attr-defined]
        case dns.rdatatype.MX:
            return f"{record.preference} {_plain(record.exchange)}"  # type: ignore[attr-defined]
        case dns.rdatatype.PTR:
            return _plain(record.target)  # type: ignore[attr-defined]
    return str(record)
