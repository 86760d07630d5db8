"""Judge SPF: whether receivers can use the record, and whether it allows the sending addresses."""

from collections.abc import Iterator, Sequence

from newsletter.doctor.domains import spf
from newsletter.doctor.domains.dns import LookupFailed, Resolver
from newsletter.doctor.domains.spf import MAX_LOOKUPS, MAX_VOID_LOOKUPS, Evaluation, PermError, SenderIP
from newsletter.doctor.domains.verdicts import Level, Verdict, advice, ok, unknown, wrong


def judge(resolver: Resolver, domain: str, senders: Sequence[SenderIP], *, by: str, are_own: bool) -> Iterator[Verdict]:
    """Judge the record of the domain in MAIL FROM, and whether it allows the addresses of the sender, named `by`.

    If the addresses are not our own, the relay may send from others: then a miss proves nothing.
    """
    verdicts = record(resolver, domain, senders, by=by)
    yield from verdicts
    if not any(each.level in (Level.WRONG, Level.UNKNOWN) for each in verdicts):
        yield from _senders(resolver, domain, senders, by=by, are_own=are_own)


def record(resolver: Resolver, domain: str, senders: Sequence[SenderIP], *, by: str) -> list[Verdict]:
    """Judge the record alone, and propose one."""
    try:
        return list(_record(resolver, domain, spf.records(resolver, domain), _proposed(senders, by)))
    except LookupFailed as error:
        return [unknown("spf", domain, str(error))]


def _proposed(senders: Sequence[SenderIP], by: str) -> str:
    """Return a record to publish, as far as the sending addresses are known."""
    terms = [f"ip{each.version}:{each}" for each in senders if each.is_global]
    return f"v=spf1 {' '.join(terms) or f'include:<what the operator of {by} names>'} ~all"


def _record(resolver: Resolver, domain: str, found: list[str], wanted: str) -> Iterator[Verdict]:
    if not found:
        says = "there is no SPF record, so receivers cannot tell which servers may send for it"
        yield wrong("spf", domain, says, publish=wanted)
        return
    if len(found) > 1:
        says = f"there are {len(found)} SPF records; receivers ignore all if there is more than one. Join them into one"
        yield wrong("spf", domain, says, found=" | ".join(found), publish=wanted)
        return
    (text,) = found
    counting = Evaluation(resolver)
    try:
        counting.result(domain)
    except PermError as error:
        yield wrong("spf", domain, f"receivers cannot use the record: {error}", found=text, publish=wanted)
        return
    if counting.lookups > MAX_LOOKUPS or counting.voids > MAX_VOID_LOOKUPS:
        yield wrong("spf", domain, _too_many(counting), found=text, publish=wanted)
        return
    sign = spf.ending(resolver, domain)
    if sign == "+":
        yield wrong("spf", domain, "it ends in +all, which allows everybody to send for it", found=text, publish=wanted)
    elif sign in (None, "?"):
        says = "it does not end in -all or ~all, so it does not forbid other servers"
        yield advice("spf", domain, says, found=text, publish=f"{text.removesuffix('?all').strip()} ~all")
    else:
        yield ok("spf", domain, f"one record, {counting.lookups} of {MAX_LOOKUPS} DNS lookups", found=text)
    if any(term.name == "ptr" for term in spf.read(text).terms):
        yield advice("spf", domain, "it uses ptr, which receivers may skip (RFC 7208 section 5.5)", found=text)


def _too_many(counting: Evaluation) -> str:
    if counting.lookups > MAX_LOOKUPS:
        return (
            f"it needs {counting.lookups} DNS lookups; receivers stop after {MAX_LOOKUPS} (RFC 7208 section 4.6.4). "
            "Remove includes that you do not need"
        )
    return (
        f"{counting.voids} of its names have no records; receivers stop after {MAX_VOID_LOOKUPS} "
        "(RFC 7208 section 4.6.4). Remove names that no longer exist"
    )


def _senders(
    resolver: Resolver, domain: str, senders: Sequence[SenderIP], *, by: str, are_own: bool
) -> Iterator[Verdict]:
    if not senders:
        says = f"the addresses of {by} are not known here; send a probe letter to see whether SPF passes"
        yield unknown("spf-relay", domain, says)
    for address in senders:
        evaluation = Evaluation(resolver, address)
        try:
            result = evaluation.result(domain)
        except (PermError, LookupFailed) as error:
            yield unknown("spf-relay", domain, f"cannot tell whether {address} of {by} may send: {error}")
            continue
        if result == "pass":
            yield ok("spf-relay", domain, f"{address} of {by} may send for it")
        elif are_own and not evaluation.has_macros:
            says = f"your letters leave from {address}, which may not send for it: {result}"
            yield wrong("spf-relay", domain, says, publish=f"v=spf1 ip{address.version}:{address} ... ~all")
        else:
            says = (
                f"the record does not allow {address}, the address of {by} ({result}). It may send from other "
                "addresses: send a probe letter to see"
            )
            yield unknown("spf-relay", domain, says)
