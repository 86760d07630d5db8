"""Judge hosts: whether replies and bounces arrive (MX), and whether sending addresses have names (PTR)."""

from collections.abc import Iterator
from ipaddress import ip_address

from newsletter.doctor.domains.dns import LookupFailed, Resolver, reverse
from newsletter.doctor.domains.spf import SenderIP
from newsletter.doctor.domains.verdicts import Verdict, advice, ok, unknown, wrong

ADDRESS_RECORDS = ("A", "AAAA")


def addresses(resolver: Resolver, host: str) -> list[SenderIP]:
    """Return the addresses of a host; an address is its own. Raises LookupFailed."""
    try:
        return [ip_address(host)]
    except ValueError:
        return [ip_address(found) for kind in ADDRESS_RECORDS for found in resolver.lookup(host, kind).records]


def mx(resolver: Resolver, domain: str, *, mail: str) -> Iterator[Verdict]:
    """Judge whether mail to the domain arrives; `mail` says in words which mail: replies, or bounces."""
    try:
        answer = resolver.lookup(domain, "MX")
        if not answer.records:
            yield _implicit(resolver, domain, mail)
            return
        hosts = [record.split(" ")[1] for record in answer.records]
        found = ", ".join(answer.records)
        if "" in hosts or "." in hosts:
            says = f"a null MX (RFC 7505): it accepts no mail. You lose {mail}, and some receivers refuse your letters"
            yield wrong("mx", domain, says, found=found, publish=f"{domain}  MX 10 <your mail server>")
            return
        broken = [verdict for host in hosts if (verdict := _host(resolver, domain, host))]
        yield from broken
        if not broken:
            yield ok("mx", domain, f"{mail} go to {', '.join(hosts)}", found=found)
    except LookupFailed as error:
        yield unknown("mx", domain, str(error))


def _implicit(resolver: Resolver, domain: str, mail: str) -> Verdict:
    publish = f"{domain}  MX 10 <your mail server>"
    if addresses(resolver, domain):
        says = f"there is no MX; {mail} go to the address of the domain itself (RFC 5321 section 5.1)"
        return advice("mx", domain, says, publish=publish)
    says = f"there is no MX and no address. You lose {mail}, and receivers refuse letters from a domain without mail"
    return wrong("mx", domain, says, publish=publish)


def _host(resolver: Resolver, domain: str, host: str) -> Verdict | None:
    """Return what is wrong with the name of a mail server; None if nothing is."""
    if _is_address(host):
        return wrong("mx", domain, f"{host} is an address; an MX must name a host (RFC 5321 section 5.1)", found=host)
    if alias := next((found.alias for kind in ADDRESS_RECORDS if (found := resolver.lookup(host, kind)).alias), None):
        says = f"{host} is an alias (CNAME) of {alias}; an MX must not name an alias (RFC 2181 section 10.3)"
        return wrong("mx", domain, says, found=host, publish=f"{domain}  MX 10 {alias}")
    if not addresses(resolver, host):
        return wrong("mx", domain, f"{host} has no address", found=host)
    return None


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def ptr(resolver: Resolver, address: SenderIP, *, by: str, is_own: bool) -> Verdict:
    """Judge whether the name of an address resolves back to it. Receivers refuse mail from an address without one."""
    about = str(address)
    try:
        names = resolver.lookup(reverse(about), "PTR").records
        confirmed = [name for name in names if address in addresses(resolver, name)]
    except LookupFailed as error:
        return unknown("ptr", about, str(error))
    if confirmed:
        return ok("ptr", about, f"its name {confirmed[0]} resolves back to it", found=", ".join(names))
    says = f"its name {names[0]} does not resolve back to it" if names else "it has no name (PTR)"
    if is_own:
        says += "; large mailbox providers refuse letters from it. Ask the provider of the address to set its PTR"
        return wrong("ptr", about, says, found=", ".join(names) or None, publish=f"{reverse(about)}  PTR <its name>")
    says += f"; this matters only if {by} sends from this address, which its operator takes care of"
    return unknown("ptr", about, says, found=", ".join(names) or None)
