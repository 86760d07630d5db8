"""Verdicts on hosts: where answers and bounces go (MX), and who the sending address says it is (PTR)."""

from collections.abc import Iterator
from ipaddress import ip_address

from newsletter.doctor.domains.dns import Resolver, Unanswered, reverse
from newsletter.doctor.domains.spf import SenderIP
from newsletter.doctor.domains.verdicts import Verdict, advice, ok, unknown, wrong

KINDS = ("A", "AAAA")


def addresses(resolver: Resolver, host: str) -> list[SenderIP]:
    """What a host is reached at; an address is its own. Raises Unanswered."""
    try:
        return [ip_address(host)]
    except ValueError:
        return [ip_address(found) for kind in KINDS for found in resolver.ask(host, kind).records]


def mx(resolver: Resolver, domain: str, *, what: str) -> Iterator[Verdict]:
    """Whether mail to the domain arrives; `what` is the mail that matters: answers, or bounces."""
    try:
        answer = resolver.ask(domain, "MX")
        if not answer.records:
            yield _implicit(resolver, domain, what)
            return
        hosts = [record.split(" ")[1] for record in answer.records]
        found = ", ".join(answer.records)
        if "" in hosts or "." in hosts:
            says = f"a null MX (RFC 7505): it takes no mail, so {what} are lost, and some receivers refuse its letters"
            yield wrong("mx", domain, says, found=found, publish=f"{domain}  MX 10 <your mail server>")
            return
        broken = [verdict for host in hosts if (verdict := _host(resolver, domain, host))]
        yield from broken
        if not broken:
            yield ok("mx", domain, f"{what} reach {', '.join(hosts)}", found=found)
    except Unanswered as error:
        yield unknown("mx", domain, str(error))


def _implicit(resolver: Resolver, domain: str, what: str) -> Verdict:
    publish = f"{domain}  MX 10 <your mail server>"
    if addresses(resolver, domain):
        says = f"there is no MX; {what} go to the domain's own address (RFC 5321 section 5.1)"
        return advice("mx", domain, says, publish=publish)
    says = (
        f"there is no MX and no address: {what} are lost, and receivers refuse letters from a domain that is not there"
    )
    return wrong("mx", domain, says, publish=publish)


def _host(resolver: Resolver, domain: str, host: str) -> Verdict | None:
    """What is wrong with a mail server's name, if anything."""
    if _is_address(host):
        return wrong("mx", domain, f"{host} is an address; an MX names a host (RFC 5321 section 5.1)", found=host)
    if alias := next((found.alias for kind in KINDS if (found := resolver.ask(host, kind)).alias), None):
        says = f"{host} is an alias (CNAME) of {alias}; an MX may not name one (RFC 2181 section 10.3)"
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
    """Whether an address has a name that leads back to it; receivers refuse those that have not."""
    about = str(address)
    try:
        names = resolver.ask(reverse(about), "PTR").records
        confirmed = [name for name in names if address in addresses(resolver, name)]
    except Unanswered as error:
        return unknown("ptr", about, str(error))
    if confirmed:
        return ok("ptr", about, f"its name {confirmed[0]} leads back to it", found=", ".join(names))
    says = f"its name {names[0]} does not lead back to it" if names else "it has no name (PTR)"
    if is_own:
        says += "; large mailbox providers refuse letters from it. Whoever gave you the address sets its PTR"
        return wrong("ptr", about, says, found=", ".join(names) or None, publish=f"{reverse(about)}  PTR <its name>")
    says += f"; whether that matters depends on the addresses that {by} sends from, which its operator sees to"
    return unknown("ptr", about, says, found=", ".join(names) or None)
