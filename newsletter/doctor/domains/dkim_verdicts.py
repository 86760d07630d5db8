"""Judge the DKIM keys of a domain: whether receivers accept one of them."""

from collections.abc import Iterator, Sequence

from newsletter.doctor.domains import dkim
from newsletter.doctor.domains.dkim import ADVISED_RSA_BITS, COMMON_SELECTORS, MIN_RSA_BITS, InvalidKey
from newsletter.doctor.domains.dns import DnsAnswer, LookupFailed, Resolver
from newsletter.doctor.domains.verdicts import Level, Verdict, advice, ok, unknown, wrong

WANTED = f"v=DKIM1; k=rsa; p=<the public key of at least {ADVISED_RSA_BITS} bits that your relay shows>"


def judge(resolver: Resolver, domain: str, selectors: Sequence[str]) -> Iterator[Verdict]:
    """Judge the keys of these selectors; without any, those of the common ones, as the DNS cannot list them."""
    for selector in selectors:
        yield _named(resolver, domain, selector)
    if not selectors:
        yield from _common(resolver, domain)


def _named(resolver: Resolver, domain: str, selector: str) -> Verdict:
    name = key_name(domain, selector)
    try:
        answer = resolver.lookup(name, "TXT")
    except LookupFailed as error:
        return unknown("dkim", name, str(error))
    if not answer.records:
        alias = f" (the alias {answer.alias} leads to no record)" if answer.alias else ""
        return wrong("dkim", name, f"there is no key{alias}: signatures with this selector fail", publish=WANTED)
    return _key(name, answer)


def _common(resolver: Resolver, domain: str) -> Iterator[Verdict]:
    keys: list[Verdict] = []
    for selector in COMMON_SELECTORS:
        name = key_name(domain, selector)
        try:
            answer = resolver.lookup(name, "TXT")
        except LookupFailed as error:
            yield unknown("dkim", name, str(error))
            return  # the other lookups would time out as well
        if answer.records:
            keys.append(_key(name, answer))
    # A revoked or short old key does not matter if another key is good.
    good = [key for key in keys if key.level is not Level.WRONG]
    yield from good or keys
    if not keys:
        says = (
            "there is no key at any of the common selectors. Name yours with --selector, or let --read find it in a "
            "probe letter. If you have none, let your relay sign, and publish the key that it shows"
        )
        yield unknown("dkim", domain, says, publish=f"<selector>._domainkey.{domain}  {WANTED}")


def key_name(domain: str, selector: str) -> str:
    """Return the DNS name of a selector's key."""
    return f"{selector}._domainkey.{domain}"


def _key(name: str, answer: DnsAnswer) -> Verdict:
    if len(answer.records) > 1:
        says = f"there are {len(answer.records)} records, and receivers pick any of them. Keep one"
        return wrong("dkim", name, says, found=" | ".join(answer.records), publish=WANTED)
    (text,) = answer.records
    try:
        key = dkim.read(text)
    except InvalidKey as error:
        return wrong("dkim", name, f"receivers cannot use the key: {error}", found=text, publish=WANTED)
    return _strength(name, text, key)


def _strength(name: str, text: str, key: dkim.Key) -> Verdict:
    if defect := _defect(key):
        return wrong("dkim", name, defect, found=text, publish=WANTED)
    if key.kind == "ed25519":
        says = "an Ed25519 key; several large mailbox providers verify only RSA, so sign with an RSA key too"
        return advice("dkim", name, says, found=text, publish=WANTED)
    if (key.bits or 0) < ADVISED_RSA_BITS:
        says = f"the key has {key.bits} bits; {ADVISED_RSA_BITS} are recommended"
        return advice("dkim", name, says, found=text, publish=WANTED)
    return ok("dkim", name, f"an RSA key of {key.bits} bits", found=text)


def _defect(key: dkim.Key) -> str | None:
    """Return why receivers reject signatures made with the key; None if they accept them."""
    if key.bits is None:
        return "the key is revoked: its p= is empty"
    if "sha256" not in key.hashes:
        return "it does not allow sha256, the only hash that receivers accept"
    if key.is_test:
        return "it says t=y (testing): receivers treat signed letters as unsigned. Remove t=y"
    if key.kind == "rsa" and key.bits < MIN_RSA_BITS:
        return f"the key has {key.bits} bits; receivers fail signatures with less than {MIN_RSA_BITS} (RFC 8301)"
    return None
