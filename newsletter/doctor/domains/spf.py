"""Evaluate SPF records as a receiver does, with its limits (RFC 7208)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import NamedTuple

from newsletter.doctor.domains.dns import DnsAnswer, Resolver
from newsletter.errors import NewsletterError
from newsletter.plain_text import shown

SenderIP = IPv4Address | IPv6Address

MAX_LOOKUPS = 10  # RFC 7208 section 4.6.4: include, a, mx, ptr, exists and redirect together
MAX_VOID_LOOKUPS = 2  # lookups without a record, same section
MAX_MX_HOSTS = 10  # of one mx, same section
MAX_COUNTED_LOOKUPS = 40  # where counting the lookups of a record stops

RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
TERM = re.compile(
    r"(?P<sign>[+?~-]?)(?P<name>[a-z][a-z0-9_.-]*)(?:[:](?P<value>\S*?))?(?P<four>/\d+)?(?P<six>//\d+)?", re.IGNORECASE
)
MODIFIER = re.compile(r"(?P<name>[a-z][a-z0-9_.-]*)=(?P<value>\S*)", re.IGNORECASE)
LOOKUP_TERMS = ("include", "a", "mx", "ptr", "exists")


class PermError(NewsletterError):
    """Receivers cannot use the SPF record (permerror in RFC 7208)."""


class Term(NamedTuple):
    """One mechanism of a record."""

    sign: str
    name: str
    value: str
    four: int | None
    six: int | None


class Record(NamedTuple):
    """A parsed record."""

    terms: tuple[Term, ...]
    redirect: str | None

    @property
    def ending(self) -> str | None:
        """The sign of `all`; None without `all`."""
        return next((term.sign for term in self.terms if term.name == "all"), None)


def records(resolver: Resolver, domain: str) -> list[str]:
    """Return the SPF records of a domain. Raises LookupFailed."""
    return [
        text for text in resolver.lookup(domain, "TXT").records if re.fullmatch(r"v=spf1(?: .*)?", text, re.IGNORECASE)
    ]


def read(text: str) -> Record:
    """Parse a record. Raises PermError."""
    terms, redirect = [], None
    for word in text.split(" ")[1:]:
        if not word:
            continue
        if modifier := MODIFIER.fullmatch(word):
            if modifier["name"].lower() == "redirect":
                if redirect is not None:
                    raise PermError("it has two redirect=")
                redirect = modifier["value"]
            continue
        terms.append(_term(word))
    return Record(tuple(terms), redirect)


def _term(word: str) -> Term:
    found = TERM.fullmatch(word)
    name = found["name"].lower() if found else ""
    if not found or name not in (*LOOKUP_TERMS, "all", "ip4", "ip6"):
        raise PermError(f"“{shown(word)}” is not an SPF mechanism")
    if name in ("include", "exists", "ip4", "ip6") and not found["value"]:
        raise PermError(f"“{shown(word)}” lacks a value")
    four, six = (int(part.strip("/")) if part else None for part in (found["four"], found["six"]))
    if name in ("ip4", "ip6"):
        _network(name, found["value"], four)
    return Term(found["sign"] or "+", name, found["value"] or "", four, six)


def _network(name: str, value: str, length: int | None) -> object:
    try:
        network = ip_network(f"{value}/{length}" if length is not None else value, strict=False)
    except ValueError:
        raise PermError(f"“{shown(f'{name}:{value}')}” is not a network") from None
    if network.version != int(name[-1]):
        raise PermError(f"“{shown(f'{name}:{value}')}” is not a network of that kind")
    return network


@dataclass
class Evaluation:
    """Evaluates a record for one address, or, without one, walks the whole record to count its lookups."""

    resolver: Resolver
    address: SenderIP | None = None
    lookups: int = 0
    voids: int = 0
    has_macros: bool = False  # whether a macro depends on the letter, so that the result is not known in advance

    def result(self, domain: str) -> str:
        """Return pass, fail, softfail, neutral or none. Raises PermError and LookupFailed."""
        found = records(self.resolver, domain)
        if not found:
            return "none"
        if len(found) > 1:
            raise PermError(f"{domain} has {len(found)} SPF records; receivers ignore all if there is more than one")
        record = read(found[0])
        for term in record.terms:
            if term.name == "all" or self._matches(term, domain):
                return RESULTS[term.sign]
        if record.redirect and record.ending is None:
            self._count()
            result = self.result(record.redirect) if self._is_plain(record.redirect) else "neutral"
            if result == "none":
                raise PermError(f"redirect={record.redirect} has no SPF record")
            return result
        return "neutral"

    def _matches(self, term: Term, domain: str) -> bool:
        if term.name in LOOKUP_TERMS:
            self._count()
        if term.name == "ptr" or (term.value and not self._is_plain(term.value)):
            return False  # section 5.5: ptr should not be used, and receivers may skip it
        match term.name:
            case "ip4" | "ip6":
                return self._is_in(term.value, term.four)
            case "include":
                result = self.result(term.value)
                if result == "none":
                    raise PermError(f"include:{term.value} has no SPF record")
                return result == "pass" and self.address is not None
            case "exists":
                return bool(self._lookup(term.value, "A").records) and self.address is not None
        length = term.six if isinstance(self.address, IPv6Address) else term.four
        return any(self._is_in(host, length) for host in self._hosts(term, domain))

    def _hosts(self, term: Term, domain: str) -> Iterator[str]:
        """Yield the addresses of `a` or `mx`."""
        kind = "AAAA" if isinstance(self.address, IPv6Address) else "A"
        if term.name == "a":
            yield from self._lookup(term.value or domain, kind).records
            return
        hosts = [record.split(" ")[1] for record in self._lookup(term.value or domain, "MX").records]
        if len(hosts) > MAX_MX_HOSTS:
            raise PermError(f"mx:{term.value or domain} has more than {MAX_MX_HOSTS} hosts")
        for host in hosts:
            yield from self.resolver.lookup(host, kind).records

    def _is_in(self, network: str, length: int | None) -> bool:
        whole = f"{network}/{length}" if length is not None else network
        return self.address is not None and self.address in ip_network(whole, strict=False)

    def _lookup(self, name: str, kind: str) -> DnsAnswer:
        answer = self.resolver.lookup(name, kind)
        self.voids += not answer.records
        return answer

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > (MAX_COUNTED_LOOKUPS if self.address is None else MAX_LOOKUPS):
            raise PermError(f"it needs more than {MAX_LOOKUPS} DNS lookups")

    def _is_plain(self, value: str) -> bool:
        self.has_macros |= "%" in value
        return "%" not in value


def ending(resolver: Resolver, domain: str) -> str | None:
    """Return the sign of the `all` of a record or its redirects; None if there is none. Raises LookupFailed."""
    for _ in range(MAX_LOOKUPS):
        found = records(resolver, domain)
        record = read(found[0]) if len(found) == 1 else Record((), None)
        if record.ending or not record.redirect:
            return record.ending
        domain = record.redirect
    return None
