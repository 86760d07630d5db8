"""A letter as it was received: what the receiver found (RFC 8601), and what the signature covers (RFC 6376)."""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import Message
from email.utils import parseaddr
from typing import NamedTuple

from newsletter.doctor.domains import dmarc, tags
from newsletter.doctor.domains.dns import Resolver, Unanswered
from newsletter.doctor.domains.verdicts import Verdict, advice, ok, unknown, wrong

# RFC 8058 section 4 wants the last two signed; without the others a signature proves little.
COVERED = ("From", "To", "Subject", "Date", "List-Unsubscribe", "List-Unsubscribe-Post")
METHODS = ("spf", "dkim", "dmarc")
LATER = ("temperror",)
NOTHING = ("none", "neutral", "policy")
LONGEST = 10_000_000  # bytes that are read of a letter


class AuthenticationResult(NamedTuple):
    """What a receiver says of one method."""

    method: str
    result: str
    properties: dict[str, str]


def judge(source: bytes, resolver: Resolver) -> list[Verdict]:
    """Pass or fail, check by check. The topmost Authentication-Results is the receiver's own; others may be forged."""
    message = message_from_bytes(source[:LONGEST], policy=policy.compat32)
    author = _domain(_one(message, "From"))
    return [*_authentication(message), *_signatures(message, author, resolver), *_unsubscribe(message)]


def author(source: bytes) -> str:
    """The domain in From; empty where there is none."""
    return _domain(_one(message_from_bytes(source[:LONGEST], policy=policy.compat32), "From"))


def selectors(source: bytes) -> list[tuple[str, str]]:
    """The selector and domain of each signature: where its key stands."""
    message = message_from_bytes(source[:LONGEST], policy=policy.compat32)
    return [(each["s"], each["d"].lower()) for each in _signed(message) if "s" in each and "d" in each]


def _one(message: Message, name: str) -> str:
    return _unfolded(message.get(name, ""))


def _unfolded(value: object) -> str:
    return re.sub(r"\r?\n[ \t]", " ", str(value)).strip()


def _domain(mailbox: str) -> str:
    return parseaddr(mailbox)[1].rpartition("@")[2].lower()


def results(header: str) -> tuple[str, list[AuthenticationResult]]:
    """Who says it, and what: an Authentication-Results header read (RFC 8601 section 2.2)."""
    server, *parts = re.findall(r'(?:[^;"]|"[^"]*"?)+', _without_comments(header)) or [""]
    found = []
    for part in parts:
        words = re.findall(r'[^\s"=]+\s*=\s*(?:"[^"]*"|[^\s"]+)', part)
        pairs = [tuple(side.strip().strip('"') for side in word.split("=", 1)) for word in words]
        if pairs:
            (method, result), properties = pairs[0], dict(pairs[1:])
            found.append(AuthenticationResult(method.partition("/")[0].lower(), result.lower(), properties))
    return (server.split() or [""])[0], found


def _without_comments(text: str) -> str:
    """The text without what stands in round brackets, which may be nested, outside of quotes."""
    kept, depth, quoted, escaped = [], 0, False, False
    for character in text:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"' and not depth:
            quoted = not quoted
        elif not quoted and character in "()":
            depth = max(0, depth + (1 if character == "(" else -1))
            continue
        if not depth:
            kept.append(character)
    return "".join(kept)


def _authentication(message: Message) -> Iterator[Verdict]:
    header = _one(message, "Authentication-Results")
    if not header:
        says = (
            "the letter has no Authentication-Results: take its source from the mailbox that received it, with all "
            "headers, not from a folder of sent mail"
        )
        yield unknown("authentication", "the letter", says)
        return
    server, found = results(header)
    for method in METHODS:
        said = [each for each in found if each.method == method]
        # Of several signatures one that passes is enough.
        best = next((each for each in said if each.result == "pass"), said[0] if said else None)
        yield _result(method, server, best)


def _result(method: str, server: str, best: AuthenticationResult | None) -> Verdict:
    if best is None:
        return unknown(method, server, f"it says nothing about {method.upper()}")
    about = next((value for name, value in best.properties.items() if name.startswith(("header.", "smtp."))), "")
    where = f" ({about.rpartition('@')[2]})" if about else ""
    if best.result == "pass":
        return ok(method, server, f"{method.upper()} passes{where}")
    if best.result in LATER:
        return unknown(method, server, f"{method.upper()} could not be checked at that moment{where}: {best.result}")
    if best.result in NOTHING:
        return wrong(method, server, f"{method.upper()} finds nothing that it can pass{where}: {best.result}")
    return wrong(method, server, f"{method.upper()} fails{where}: {best.result}")


def _signed(message: Message) -> list[dict[str, str]]:
    read = (tags.read(_unfolded(header)) for header in message.get_all("DKIM-Signature", []))
    return [each for each in read if each]


def _signatures(message: Message, author: str, resolver: Resolver) -> Iterator[Verdict]:
    signed = _signed(message)
    if not signed:
        yield wrong("signature", author, "the letter has no DKIM signature: let your relay sign what it sends")
        return
    aligned = [each for each in signed if _aligns(resolver, each.get("d", "").lower(), author)]
    if not aligned:
        domains = ", ".join(each.get("d", "?") for each in signed)
        yield wrong("signature", author, f"it is signed for {domains}, which does not align with the domain in From")
        return
    yield ok("signature", author, f"it is signed with d={aligned[0].get('d')} and the selector {aligned[0].get('s')}")
    covering = max(aligned, key=lambda each: len(_covered(each)))
    yield from _cover(covering)
    yield from _manner(covering)


def _aligns(resolver: Resolver, domain: str, author: str) -> bool:
    try:
        policy = dmarc.applying(resolver, author)
        return dmarc.aligned(resolver, domain, author, strict=bool(policy and policy.is_strict("adkim")))
    except Unanswered:  # then only what is plain from the names
        return domain == author or author.endswith(f".{domain}") or domain.endswith(f".{author}")


def _covered(signature: dict[str, str]) -> set[str]:
    names = {name.strip().lower() for name in signature.get("h", "").split(":")}
    return {name for name in COVERED if name.lower() in names}


def _cover(signature: dict[str, str]) -> Iterator[Verdict]:
    about = f"d={signature.get('d')}"
    if missing := [name for name in COVERED if name not in _covered(signature)]:
        says = f"the signature does not cover {', '.join(missing)}"
        if any(name.startswith("List-") for name in missing):
            says += "; without them mail programs show no button to unsubscribe (RFC 8058 section 4)"
        yield wrong("signed-headers", about, f"{says}. Add them to the headers that your relay signs")
    else:
        yield ok("signed-headers", about, f"the signature covers {', '.join(COVERED)}")


def _manner(signature: dict[str, str]) -> Iterator[Verdict]:
    about, algorithm = f"d={signature.get('d')}", signature.get("a", "").lower()
    if algorithm == "rsa-sha256":
        yield ok("algorithm", about, "signed with rsa-sha256")
    elif algorithm == "ed25519-sha256":
        yield advice("algorithm", about, "signed with Ed25519 only where it counts; sign with rsa-sha256 as well")
    else:
        yield wrong("algorithm", about, f"signed with {algorithm or 'nothing'}; only rsa-sha256 counts everywhere")
    if "l" in signature:
        yield wrong("algorithm", about, "it has an l=, so that anybody may add to the letter; switch that off")


def _unsubscribe(message: Message) -> Iterator[Verdict]:
    links = [_unfolded(value) for value in message.get_all("List-Unsubscribe", [])]
    posts = [_unfolded(value) for value in message.get_all("List-Unsubscribe-Post", [])]
    if len(links) == 1 and re.match(r"<https://[^<>\s]+>", links[0]) and posts == ["List-Unsubscribe=One-Click"]:
        yield ok("one-click", "the letter", "it can be unsubscribed from by one press in the mail program (RFC 8058)")
        return
    says = (
        "mail programs will show no button to unsubscribe: there has to be one List-Unsubscribe with an https: address "
        "and one List-Unsubscribe-Post (RFC 8058)"
    )
    if links and links[0].startswith("<http://"):
        says += "; the address begins with http:, so NEWSLETTER_BASE_URL is not the site's public one"
    yield wrong("one-click", "the letter", says, found=" | ".join(links) or None)
