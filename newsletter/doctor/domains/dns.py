"""Resolving: questions to the DNS. What has no answer is told apart from what could not be asked."""

from typing import NamedTuple, Protocol

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
import dns.reversename

from newsletter.errors import NewsletterError

PATIENCE = 2.0  # seconds for one try
LONGEST = 5.0  # seconds for one question, all its tries together


class Unanswered(NewsletterError):
    """The DNS could not be asked."""


class DnsAnswer(NamedTuple):
    """What the DNS says to one question."""

    records: tuple[
        str, ...
    ]  # TXT joined, addresses and names as text without the last dot, MX as "10 mail.example.org"
    exists: bool = True  # False: there is no such name at all (NXDOMAIN)
    alias: str | None = None  # where a CNAME led


class Resolver(Protocol):
    """Whoever can be asked."""

    def ask(self, name: str, kind: str) -> DnsAnswer:
        """The records of that kind (TXT, A, AAAA, MX, PTR). Raises Unanswered where nobody could say."""


class DnsResolver:
    """The system's resolvers, or one that is named; each question is asked once."""

    def __init__(
        self, nameserver: str | None = None, port: int = 53, *, patience: float = PATIENCE, longest: float = LONGEST
    ) -> None:
        try:
            self._resolver = dns.resolver.Resolver(configure=nameserver is None)
        except dns.resolver.NoResolverConfiguration:
            raise Unanswered("this machine knows no DNS server; name one with --nameserver") from None
        if nameserver:
            self._resolver.nameservers = [nameserver]
            self._resolver.port = port
        self._resolver.timeout, self._resolver.lifetime = patience, longest
        self._known: dict[tuple[str, str], DnsAnswer | Unanswered] = {}

    def ask(self, name: str, kind: str) -> DnsAnswer:
        """The records, remembered. Raises Unanswered."""
        key = name.lower().rstrip("."), kind
        if key not in self._known:
            try:
                self._known[key] = self._asked(*key)
            except Unanswered as error:
                self._known[key] = error
        answer = self._known[key]
        if isinstance(answer, Unanswered):
            raise answer
        return answer

    def _asked(self, name: str, kind: str) -> DnsAnswer:
        try:
            found = self._resolver.resolve(f"{name}.", kind, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return DnsAnswer((), exists=False)
        except dns.exception.Timeout:
            raise Unanswered(f"no answer about {name} ({kind}) in time") from None
        except dns.resolver.NoNameservers:
            raise Unanswered(f"the DNS servers failed to answer about {name} ({kind})") from None
        except (dns.exception.DNSException, OSError) as error:
            raise Unanswered(f"{name} ({kind}) cannot be asked about: {type(error).__name__}") from None
        canonical = _plain(found.canonical_name)
        records = tuple(sorted(_text(record) for record in found)) if found.rrset is not None else ()
        return DnsAnswer(records, alias=canonical if canonical != name else None)


def reverse(address: str) -> str:
    """The name under which an address's PTR stands."""
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
