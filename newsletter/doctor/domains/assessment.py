"""Check the domains of a newsletter: SPF, DKIM, DMARC, MX, and PTR of the sending addresses."""

import socket
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from newsletter.doctor.domains import dkim_verdicts, dmarc_verdicts, host_verdicts, spf_verdicts
from newsletter.doctor.domains.dns import LookupFailed, Resolver
from newsletter.doctor.domains.spf import SenderIP
from newsletter.doctor.domains.verdicts import Level, Verdict, unknown, wrong
from newsletter.relays import Relay


class Sender(NamedTuple):
    """A relay that sends, or this machine if the relay runs on it."""

    name: str  # in words, for verdicts
    addresses: list[SenderIP]
    is_own: bool  # whether the addresses belong to this machine


class Domains(NamedTuple):
    """The domains to check."""

    sender: str  # the domain of the address in From
    reply: str  # the domain that receives replies
    return_path: str | None  # the domain of MAIL FROM, if letters have a domain of their own there

    @property
    def envelope(self) -> str:
        """The domain in MAIL FROM, which SPF checks."""
        return self.return_path or self.sender


def examine(
    resolver: Resolver, domains: Domains, *, relays: Sequence[Relay], ehlo_name: str, selectors: Sequence[str] = ()
) -> Iterator[Verdict]:
    """Yield every verdict as soon as it is known. `ehlo_name` is the name of this machine in EHLO."""
    senders: list[Sender] = []
    for relay in relays:
        yield from _sender(resolver, relay, ehlo_name, senders)
    for name, addresses, is_own in senders or [Sender("your relay", [], False)]:
        yield from spf_verdicts.judge(resolver, domains.envelope, addresses, by=name, are_own=is_own)
        if domains.envelope != domains.sender:
            yield from _from_domain(domains, spf_verdicts.record(resolver, domains.sender, addresses, by=name))
    yield from dkim_verdicts.judge(resolver, domains.sender, selectors)
    yield from dmarc_verdicts.judge(resolver, domains.sender, return_path=domains.envelope)
    mail = {domains.envelope: "bounces", domains.sender: "letters to the sender", domains.reply: "replies"}
    for domain, kind in mail.items():
        yield from host_verdicts.mx(resolver, domain, mail=kind)
    for name, addresses, is_own in senders:
        for address in addresses:
            yield host_verdicts.ptr(resolver, address, by=name, is_own=is_own)


def _from_domain(domains: Domains, verdicts: Sequence[Verdict]) -> Iterator[Verdict]:
    """Yield SPF verdicts on the domain in From, none above advice: receivers check the one in MAIL FROM instead."""
    for verdict in verdicts:
        if verdict.level is Level.WRONG:
            says = f"{verdict.says}. Receivers check the return path, {domains.envelope}, so it matters little"
            yield verdict._replace(level=Level.ADVICE, says=says)
        else:
            yield verdict


def _sender(resolver: Resolver, relay: Relay, ehlo_name: str, senders: list[Sender]) -> Iterator[Verdict]:
    """Append the sender of a relay to `senders`; yield a verdict if its addresses cannot be found."""
    host = ehlo_name if relay.is_on_this_machine else relay.host
    name = f"this machine ({ehlo_name})" if relay.is_on_this_machine else relay.host
    try:
        addresses = host_verdicts.addresses(resolver, host)
    except LookupFailed as error:
        yield unknown("addresses", host, str(error))
        addresses = []
    else:
        if not addresses:
            says = "the name has no address"
            if relay.is_on_this_machine:
                says += "; relays and receivers know this machine by NEWSLETTER_EHLO_NAME"
            yield wrong("addresses", host, says, publish=f"{host}  A <its address>")
    senders.append(Sender(name, addresses, relay.is_on_this_machine or any(map(belongs_to_this_machine, addresses))))


def belongs_to_this_machine(address: SenderIP) -> bool:
    """Return whether this machine has the address, by trying to bind a socket to it."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
