"""Verdicts on DKIM keys: whether there is one that receivers accept."""

from collections.abc import Iterator, Sequence

from newsletter.doctor.domains import dkim
from newsletter.doctor.domains.dkim import BETTER, LEAST, USUAL, Unreadable
from newsletter.doctor.domains.dns import DnsAnswer, Resolver, Unanswered
from newsletter.doctor.domains.verdicts import Level, Verdict, advice, ok, unknown, wrong

WANTED = f"v=DKIM1; k=rsa; p=<the public key of at least {BETTER} bits that your relay shows>"


def judge(resolver: Resolver, domain: str, selectors: Sequence[str]) -> Iterator[Verdict]:
    """The keys of these selectors; of the usual ones where none is given, for no list of them can be asked for."""
    for selector in selectors:
        yield _named(resolver, domain, selector)
    if not selectors:
        yield from _usual(resolver, domain)


def _named(resolver: Resolver, domain: str, selector: str) -> Verdict:
    name = place(domain, selector)
    try:
        answer = resolver.ask(name, "TXT")
    except Unanswered as error:
        return unknown("dkim", name, str(error))
    if not answer.records:
        behind = f"; its alias {answer.alias} leads to nothing" if answer.alias else ""
        return wrong("dkim", name, f"there is no key{behind}: what is signed so fails", publish=WANTED)
    return _key(name, answer)


def _usual(resolver: Resolver, domain: str) -> Iterator[Verdict]:
    keys: list[Verdict] = []
    for selector in USUAL:
        name = place(domain, selector)
        try:
            answer = resolver.ask(name, "TXT")
        except Unanswered as error:
            yield unknown("dkim", name, str(error))
            return  # the others would take as long, and say as little
        if answer.records:
            keys.append(_key(name, answer))
    # An old key that is revoked or short is nobody's trouble while another one is good.
    good = [key for key in keys if key.level is not Level.WRONG]
    yield from good or keys
    if not keys:
        says = (
            "there is no key at any of the usual selectors. Name yours with --selector, or read it from a probe letter "
            "with --read; if you have none, let your relay sign and publish the key that it shows"
        )
        yield unknown("dkim", domain, says, publish=f"<selector>._domainkey.{domain}  {WANTED}")


def place(domain: str, selector: str) -> str:
    """Where a selector's key stands."""
    return f"{selector}._domainkey.{domain}"


def _key(name: str, answer: DnsAnswer) -> Verdict:
    if len(answer.records) > 1:
        says = f"there are {len(answer.records)} records; which of them counts is left to chance"
        return wrong("dkim", name, says, found=" | ".join(answer.records), publish=WANTED)
    (text,) = answer.records
    try:
        key = dkim.read(text)
    except Unreadable as error:
        return wrong("dkim", name, f"receivers cannot use the key: {error}", found=text, publish=WANTED)
    return _strength(name, text, key)


def _strength(name: str, text: str, key: dkim.Key) -> Verdict:
    if trouble := _trouble(key):
        return wrong("dkim", name, trouble, found=text, publish=WANTED)
    if key.kind == "ed25519":
        says = "an Ed25519 key; several large mailbox providers verify RSA only, so sign with an RSA key as well"
        return advice("dkim", name, says, found=text, publish=WANTED)
    if (key.bits or 0) < BETTER:
        return advice("dkim", name, f"the key has {key.bits} bits; {BETTER} are advised", found=text, publish=WANTED)
    return ok("dkim", name, f"an RSA key of {key.bits} bits", found=text)


def _trouble(key: dkim.Key) -> str | None:
    """Why receivers do not accept what is signed with the key, if they do not."""
    if key.bits is None:
        return "the key is revoked: its p= is empty"
    if "sha256" not in key.hashes:
        return "it allows no sha256, and nothing else is accepted"
    if key.is_test:
        return "it says t=y, a test: receivers treat what is signed so as unsigned. Take the t=y out"
    if key.kind == "rsa" and key.bits < LEAST:
        return f"the key has {key.bits} bits; below {LEAST} signatures count as failed (RFC 8301)"
    return None
