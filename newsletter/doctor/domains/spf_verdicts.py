"""Verdicts on SPF: whether the record is one that receivers can use, and whether it names who sends."""

from collections.abc import Iterator, Sequence

from newsletter.doctor.domains import spf
from newsletter.doctor.domains.dns import Resolver, Unanswered
from newsletter.doctor.domains.spf import LOOKUPS, VOIDS, Broken, Evaluation, SenderIP
from newsletter.doctor.domains.verdicts import Level, Verdict, advice, ok, unknown, wrong


def judge(resolver: Resolver, domain: str, senders: Sequence[SenderIP], *, by: str, are_own: bool) -> Iterator[Verdict]:
    """The record of the domain in MAIL FROM, and what it says to the addresses of whoever sends (`by`, in words).

    What a relay that is not ours sends from can be others of its addresses: then a miss proves nothing.
    """
    verdicts = record(resolver, domain, senders, by=by)
    yield from verdicts
    if not any(each.level in (Level.WRONG, Level.UNKNOWN) for each in verdicts):
        yield from _senders(resolver, domain, senders, by=by, are_own=are_own)


def record(resolver: Resolver, domain: str, senders: Sequence[SenderIP], *, by: str) -> list[Verdict]:
    """The record alone, with one that would do."""
    try:
        return list(_record(resolver, domain, spf.records(resolver, domain), _wanted(senders, by)))
    except Unanswered as error:
        return [unknown("spf", domain, str(error))]


def _wanted(senders: Sequence[SenderIP], by: str) -> str:
    """A record that would do, as far as it can be known."""
    named = [f"ip{each.version}:{each}" for each in senders if each.is_global]
    return f"v=spf1 {' '.join(named) or f'include:<what the operator of {by} names>'} ~all"


def _record(resolver: Resolver, domain: str, found: list[str], wanted: str) -> Iterator[Verdict]:
    if not found:
        yield wrong("spf", domain, "there is no SPF record, so nobody can tell who may send for it", publish=wanted)
        return
    if len(found) > 1:
        says = f"there are {len(found)} SPF records; with more than one, none counts. Join them into one"
        yield wrong("spf", domain, says, found=" | ".join(found), publish=wanted)
        return
    (text,) = found
    counting = Evaluation(resolver)
    try:
        counting.result(domain)
    except Broken as error:
        yield wrong("spf", domain, f"receivers cannot use the record: {error}", found=text, publish=wanted)
        return
    if counting.lookups > LOOKUPS or counting.voids > VOIDS:
        yield wrong("spf", domain, _too_many(counting), found=text, publish=wanted)
        return
    sign = spf.ending(resolver, domain)
    if sign == "+":
        yield wrong("spf", domain, "it ends in +all, which lets everybody send for it", found=text, publish=wanted)
    elif sign in (None, "?"):
        says = "it does not end in -all or ~all, so it says nothing about everybody else"
        yield advice("spf", domain, says, found=text, publish=f"{text.removesuffix('?all').strip()} ~all")
    else:
        yield ok("spf", domain, f"one record, {counting.lookups} of {LOOKUPS} questions", found=text)
    if any(term.name == "ptr" for term in spf.read(text).terms):
        yield advice("spf", domain, "it uses ptr, which receivers may leave out (RFC 7208 section 5.5)", found=text)


def _too_many(counting: Evaluation) -> str:
    if counting.lookups > LOOKUPS:
        return (
            f"it takes {counting.lookups} questions to the DNS; after {LOOKUPS} receivers give up "
            "(RFC 7208 section 4.6.4). Leave out includes that you do not need"
        )
    return (
        f"{counting.voids} of its names have no records; after {VOIDS} receivers give up (RFC 7208 section 4.6.4). "
        "Take out what is not there any more"
    )


def _senders(
    resolver: Resolver, domain: str, senders: Sequence[SenderIP], *, by: str, are_own: bool
) -> Iterator[Verdict]:
    if not senders:
        yield unknown("spf-relay", domain, f"no address of {by} is known here; a probe letter tells whether SPF passes")
    for address in senders:
        evaluation = Evaluation(resolver, address)
        try:
            result = evaluation.result(domain)
        except (Broken, Unanswered) as error:
            yield unknown("spf-relay", domain, f"whether {address} of {by} may send cannot be told: {error}")
            continue
        if result == "pass":
            yield ok("spf-relay", domain, f"{address} of {by} may send for it")
        elif are_own and not evaluation.has_macros:
            says = f"{address}, from which letters leave, may not send for it: {result}"
            yield wrong("spf-relay", domain, says, publish=f"v=spf1 ip{address.version}:{address} ... ~all")
        else:
            says = (
                f"the record does not name {address}, where {by} is reached ({result}); it may send from other "
                "addresses of its own: a probe letter tells"
            )
            yield unknown("spf-relay", domain, says)
