"""Judge a received letter: the results of the receiver (RFC 8601) and the cover of the signature (RFC 6376)."""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import Message
from email.utils import parseaddr
from typing import NamedTuple

from newsletter.doctor.domains import dmarc, tags
from newsletter.doctor.domains.dns import LookupFailed, Resolver
from newsletter.doctor.domains.verdicts import Verdict, advice, ok, unknown, wrong

# RFC 8058 section 4 requires the last two to be signed; without the others a signature proves little.
SIGNED_HEADERS = ("From", "To", "Subject", "Date", "List-Unsubscribe", "List-Unsubscribe-Post")
METHODS = ("spf", "dkim", "dmarc")
TEMPORARY = ("temperror",)
INCONCLUSIVE = ("none", "neutral", "policy")
MAX_BYTES = 10_000_000  # of a letter; the rest is not read


class AuthenticationResult(NamedTuple):
    """The result of a receiver for one method."""

    method: str
    result: str
    properties: dict[str, str]


def judge(source: bytes, resolver: Resolver) -> list[Verdict]:
    """Return a verdict for each check. The topmost Authentication-Results is the receiver's; others may be forged."""
    message = message_from_bytes(source[:MAX_BYTES], policy=policy.compat32)
    author = _domain(_header(message, "From"))
    return [*_authentication(message), *_signatures(message, author, resolver), *_unsubscribe(message)]


def author(source: bytes) -> str:
    """Return the domain in From; empty if there is none."""
    return _domain(_header(message_from_bytes(source[:MAX_BYTES], policy=policy.compat32), "From"))


def selectors(source: bytes) -> list[tuple[str, str]]:
    """Return the selector and domain of each signature, which name its key."""
    message = message_from_bytes(source[:MAX_BYTES], policy=policy.compat32)
    return [(each["s"], each["d"].lower()) for each in _signed(message) if "s" in each and "d" in each]


def _header(message: Message, name: str) -> str:
    return _unfolded(message.get(name, ""))


def _unfolded(value: object) -> str:
    return re.sub(r"\r?\n[ \t]", " ", str(value)).strip()


def _domain(mailbox: str) -> str:
    return parseaddr(mailbox)[1].rpartition("@")[2].lower()


def results(header: str) -> tuple[str, list[AuthenticationResult]]:
    """Return the server and the results in an Authentication-Results header (RFC 8601 section 2.2)."""
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
    """Return the text without comments: parentheses outside quotes, which may be nested."""
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
    header = _header(message, "Authentication-Results")
    if not header:
        says = (
            "the letter has no Authentication-Results. Save it with all headers from the mailbox that received it, not "
            "from a folder of sent mail"
        )
        yield unknown("authentication", "the letter", says)
        return
    server, found = results(header)
    for method in METHODS:
        matching = [each for each in found if each.method == method]
        # One passing signature is enough.
        best = next((each for each in matching if each.result == "pass"), matching[0] if matching else None)
        yield _result(method, server, best)


def _result(method: str, server: str, best: AuthenticationResult | None) -> Verdict:
    if best is None:
        return unknown(method, server, f"the receiver reports no result for {method.upper()}")
    about = next((value for name, value in best.properties.items() if name.startswith(("header.", "smtp."))), "")
    where = f" ({about.rpartition('@')[2]})" if about else ""
    if best.result == "pass":
        return ok(method, server, f"{method.upper()} passes{where}")
    if best.result in TEMPORARY:
        return unknown(
            method, server, f"the receiver could not check {method.upper()} at that moment{where}: {best.result}"
        )
    if best.result in INCONCLUSIVE:
        return wrong(method, server, f"{method.upper()} did not pass{where}: {best.result}")
    return wrong(method, server, f"{method.upper()} fails{where}: {best.result}")


def _signed(message: Message) -> list[dict[str, str]]:
    read = (tags.read(_unfolded(header)) for header in message.get_all("DKIM-Signature", []))
    return [each for each in read if each]


def _signatures(message: Message, author: str, resolver: Resolver) -> Iterator[Verdict]:
    signed = _signed(message)
    if not signed:
        yield wrong("signature", author, "the letter has no DKIM signature. Let your relay sign your letters")
        return
    aligned = [each for each in signed if _aligns(resolver, each.get("d", "").lower(), author)]
    if not aligned:
        domains = ", ".join(each.get("d", "?") for each in signed)
        yield wrong("signature", author, f"it is signed for {domains}, which does not align with the domain in From")
        return
    yield ok("signature", author, f"it is signed with d={aligned[0].get('d')} and the selector {aligned[0].get('s')}")
    covering = max(aligned, key=lambda each: len(_covered(each)))
    yield from _cover(covering)
    yield from _algorithm(covering)


def _aligns(resolver: Resolver, domain: str, author: str) -> bool:
    try:
        policy = dmarc.applying(resolver, author)
        return dmarc.aligned(resolver, domain, author, strict=bool(policy and policy.is_strict("adkim")))
    except LookupFailed:  # compare the names alone
        return domain == author or author.endswith(f".{domain}") or domain.endswith(f".{author}")


def _covered(signature: dict[str, str]) -> set[str]:
    names = {name.strip().lower() for name in signature.get("h", "").split(":")}
    return {name for name in SIGNED_HEADERS if name.lower() in names}


def _cover(signature: dict[str, str]) -> Iterator[Verdict]:
    about = f"d={signature.get('d')}"
    if missing := [name for name in SIGNED_HEADERS if name not in _covered(signature)]:
        says = f"the signature does not cover {', '.join(missing)}"
        if any(name.startswith("List-") for name in missing):
            says += "; without them mail programs show no unsubscribe button (RFC 8058 section 4)"
        yield wrong("signed-headers", about, f"{says}. Add them to the headers that your relay signs")
    else:
        yield ok("signed-headers", about, f"the signature covers {', '.join(SIGNED_HEADERS)}")


def _algorithm(signature: dict[str, str]) -> Iterator[Verdict]:
    about, algorithm = f"d={signature.get('d')}", signature.get("a", "").lower()
    if algorithm == "rsa-sha256":
        yield ok("algorithm", about, "signed with rsa-sha256")
    elif algorithm == "ed25519-sha256":
        yield advice("algorithm", about, "the aligned signature uses Ed25519; sign with rsa-sha256 too")
    else:
        yield wrong(
            "algorithm", about, f"signed with {algorithm or 'no algorithm'}; only rsa-sha256 is accepted everywhere"
        )
    if "l" in signature:
        yield wrong(
            "algorithm", about, "it has an l=, so that anybody can append to the letter. Switch that off at your relay"
        )


def _unsubscribe(message: Message) -> Iterator[Verdict]:
    links = [_unfolded(value) for value in message.get_all("List-Unsubscribe", [])]
    posts = [_unfolded(value) for value in message.get_all("List-Unsubscribe-Post", [])]
    if len(links) == 1 and re.match(r"<https://[^<>\s]+>", links[0]) and posts == ["List-Unsubscribe=One-Click"]:
        yield ok("one-click", "the letter", "mail programs can show a one-click unsubscribe button (RFC 8058)")
        return
    says = (
        "mail programs will show no unsubscribe button. The letter needs one List-Unsubscribe with an https: address "
        "and one List-Unsubscribe-Post (RFC 8058)"
    )
    if links and links[0].startswith("<http://"):
        says += ". The address begins with http:, so NEWSLETTER_BASE_URL is not the public address of the site"
    yield wrong("one-click", "the letter", says, found=" | ".join(links) or None)
