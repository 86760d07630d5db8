"""SPF (RFC 7208): the record of a domain, evaluated as a receiver does, and counted as a receiver counts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import NamedTuple

from newsletter.doctor.domains.dns import DnsAnswer, Resolver
from newsletter.errors import NewsletterError

SenderIP = IPv4Address | IPv6Address

LOOKUPS = 10  # RFC 7208 section 4.6.4: include, a, mx, ptr, exists and redirect together
VOIDS = 2  # questions without an answer, same section
HOSTS = 10  # that one mx may have, same section
ENOUGH = 40  # questions after which a record is not followed any further, not even to count

RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
TERM = re.compile(
    r"(?P<sign>[+?~-]?)(?P<name>[a-z][a-z0-9_.-]*)(?:[:](?P<value>\S*?))?(?P<four>/\d+)?(?P<six>//\d+)?", re.IGNORECASE
)
MODIFIER = re.compile(r"(?P<name>[a-z][a-z0-9_.-]*)=(?P<value>\S*)", re.IGNORECASE)
ASKING = ("include", "a", "mx", "ptr", "exists")


class Broken(NewsletterError):
    """The record cannot be used (RFC 7208's permerror)."""


class Term(NamedTuple):
    """One mechanism."""

    sign: str
    name: str
    value: str
    four: int | None
    six: int | None


class Record(NamedTuple):
    """A record, read."""

    terms: tuple[Term, ...]
    redirect: str | None

    @property
    def ending(self) -> str | None:
        """The sign of `all`, where there is one."""
        return next((term.sign for term in self.terms if term.name == "all"), None)


def records(resolver: Resolver, domain: str) -> list[str]:
    """The SPF records of a domain. Raises Unanswered."""
    return [
        text for text in resolver.ask(domain, "TXT").records if re.fullmatch(r"v=spf1(?: .*)?", text, re.IGNORECASE)
    ]


def read(text: str) -> Record:
    """A record's terms. Raises Broken."""
    terms, redirect = [], None
    for word in text.split(" ")[1:]:
        if not word:
            continue
        if modifier := MODIFIER.fullmatch(word):
            if modifier["name"].lower() == "redirect":
                if redirect is not None:
                    raise Broken("it has two redirect=")
                redirect = modifier["value"]
            continue
        terms.append(_term(word))
    return Record(tuple(terms), redirect)


def _term(word: str) -> Term:
    found = TERM.fullmatch(word)
    name = found["name"].lower() if found else ""
    if not found or name not in (*ASKING, "all", "ip4", "ip6"):
        raise Broken(f"“{word[:60]}” is no mechanism of SPF")
    if name in ("include", "exists", "ip4", "ip6") and not found["value"]:
        raise Broken(f"“{word[:60]}” says not which")
    four, six = (int(part.strip("/")) if part else None for part in (found["four"], found["six"]))
    if name in ("ip4", "ip6"):
        _network(name, found["value"], four)
    return Term(found["sign"] or "+", name, found["value"] or "", four, six)


def _network(name: str, value: str, length: int | None) -> object:
    try:
        network = ip_network(f"{value}/{length}" if length is not None else value, strict=False)
    except ValueError:
        raise Broken(f"“{name}:{value[:60]}” is no network") from None
    if network.version != int(name[-1]):
        raise Broken(f"“{name}:{value[:60]}” is no network of that kind")
    return network


@dataclass
class Evaluation:
    """What a receiver makes of a record for one address; for none, all of it is walked through and counted."""

    resolver: Resolver
    address: SenderIP | None = None
    lookups: int = 0
    voids: int = 0
    has_macros: bool = False  # whether something depends on a letter's own words, and cannot be told beforehand

    def result(self, domain: str) -> str:
        """pass, fail, softfail, neutral or none. Raises Broken and Unanswered."""
        found = records(self.resolver, domain)
        if not found:
            return "none"
        if len(found) > 1:
            raise Broken(f"{domain} has {len(found)} SPF records; with more than one none counts")
        record = read(found[0])
        for term in record.terms:
            if term.name == "all" or self._matches(term, domain):
                return RESULTS[term.sign]
        if record.redirect and record.ending is None:
            self._count()
            result = self.result(record.redirect) if self._is_plain(record.redirect) else "neutral"
            if result == "none":
                raise Broken(f"redirect={record.redirect} leads to no SPF record")
            return result
        return "neutral"

    def _matches(self, term: Term, domain: str) -> bool:
        if term.name in ASKING:
            self._count()
        if term.name == "ptr" or (term.value and not self._is_plain(term.value)):
            return False  # section 5.5: do not use ptr; receivers may leave it out
        match term.name:
            case "ip4" | "ip6":
                return self._lies_in(term.value, term.four)
            case "include":
                result = self.result(term.value)
                if result == "none":
                    raise Broken(f"include:{term.value} leads to no SPF record")
                return result == "pass" and self.address is not None
            case "exists":
                return bool(self._ask(term.value, "A").records) and self.address is not None
        wide = term.six if isinstance(self.address, IPv6Address) else term.four
        return any(self._lies_in(host, wide) for host in self._hosts(term, domain))

    def _hosts(self, term: Term, domain: str) -> Iterator[str]:
        """The addresses behind `a` or `mx`."""
        kind = "AAAA" if isinstance(self.address, IPv6Address) else "A"
        if term.name == "a":
            yield from self._ask(term.value or domain, kind).records
            return
        hosts = [record.split(" ")[1] for record in self._ask(term.value or domain, "MX").records]
        if len(hosts) > HOSTS:
            raise Broken(f"mx:{term.value or domain} has more than {HOSTS} hosts")
        for host in hosts:
            yield from self.resolver.ask(host, kind).records

    def _lies_in(self, network: str, length: int | None) -> bool:
        whole = f"{network}/{length}" if length is not None else network
        return self.address is not None and self.address in ip_network(whole, strict=False)

    def _ask(self, name: str, kind: str) -> DnsAnswer:
        answer = self.resolver.ask(name, kind)
        self.voids += not answer.records
        return answer

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > (ENOUGH if self.address is None else LOOKUPS):
            raise Broken(f"it takes more than {LOOKUPS} questions to the DNS")

    def _is_plain(self, value: str) -> bool:
        self.has_macros |= "%" in value
        return "%" not in value


def ending(resolver: Resolver, domain: str) -> str | None:
    """The sign of the `all` that a record ends in, also behind redirects; None if there is none. Raises Unanswered."""
    for _ in range(LOOKUPS):
        found = records(resolver, domain)
        record = read(found[0]) if len(found) == 1 else Record((), None)
        if record.ending or not record.redirect:
            return record.ending
        domain = record.redirect
    return None
