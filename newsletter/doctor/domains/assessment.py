"""The whole examination of a newsletter's domains: who sends, who signs, what applies, what comes back."""

import socket
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from newsletter.doctor.domains import dkim_verdicts, dmarc_verdicts, host_verdicts, spf_verdicts
from newsletter.doctor.domains.dns import Resolver, Unanswered
from newsletter.doctor.domains.spf import SenderIP
from newsletter.doctor.domains.verdicts import Level, Verdict, unknown, wrong
from newsletter.relays import Relay


class Domains(NamedTuple):
    """What is to be examined."""

    sender: str  # the domain of the address in From
    reply: str  # the domain that answers go to
    return_path: str | None  # the domain of MAIL FROM, where letters have one of their own

    @property
    def envelope(self) -> str:
        """The domain that SPF is about."""
        return self.return_path or self.sender


def examine(
    resolver: Resolver, domains: Domains, *, relays: Sequence[Relay], greeting: str, selectors: Sequence[str] = ()
) -> Iterator[Verdict]:
    """Every verdict, as it comes. `greeting` is the name that this machine greets relays with (EHLO)."""
    found: list[tuple[str, list[SenderIP], bool]] = []
    for relay in relays:
        yield from _sender(resolver, relay, greeting, found)
    for by, senders, are_own in found or [("your relay", [], False)]:
        yield from spf_verdicts.judge(resolver, domains.envelope, senders, by=by, are_own=are_own)
        if domains.envelope != domains.sender:
            yield from _beside(domains, spf_verdicts.record(resolver, domains.sender, senders, by=by))
    yield from dkim_verdicts.judge(resolver, domains.sender, selectors)
    yield from dmarc_verdicts.judge(resolver, domains.sender, return_path=domains.envelope)
    reached = {domains.envelope: "bounces", domains.sender: "letters to the sender", domains.reply: "answers"}
    for domain, what in reached.items():
        yield from host_verdicts.mx(resolver, domain, what=what)
    for by, senders, are_own in found:
        for address in senders:
            yield host_verdicts.ptr(resolver, address, by=by, is_own=are_own)


def _beside(domains: Domains, verdicts: Sequence[Verdict]) -> Iterator[Verdict]:
    """SPF of the domain in From where MAIL FROM has another: receivers ask about that one, so nothing here is wrong."""
    for verdict in verdicts:
        if verdict.level is Level.WRONG:
            says = f"{verdict.says}. Receivers ask about {domains.envelope}, the return path, so it matters little"
            yield verdict._replace(level=Level.ADVICE, says=says)
        else:
            yield verdict


def _sender(
    resolver: Resolver, relay: Relay, greeting: str, found: list[tuple[str, list[SenderIP], bool]]
) -> Iterator[Verdict]:
    """Note who sends: the relay, or this machine where the relay is on it."""
    host = greeting if relay.is_on_this_machine else relay.host
    by = f"this machine ({greeting})" if relay.is_on_this_machine else relay.host
    try:
        addresses = host_verdicts.addresses(resolver, host)
    except Unanswered as error:
        yield unknown("addresses", host, str(error))
        addresses = []
    else:
        if not addresses:
            says = "the name has no address" + (
                "; NEWSLETTER_EHLO_NAME is how relays and receivers know this machine" * relay.is_on_this_machine
            )
            yield wrong("addresses", host, says, publish=f"{host}  A <its address>")
    are_own = relay.is_on_this_machine or any(map(is_own, addresses))
    found.append((by, addresses, are_own))


def is_own(address: SenderIP) -> bool:
    """Whether this machine has that address: nobody else can bind to it."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as tried:
            tried.bind((str(address), 0))
    except OSError:
        return False
    return True
