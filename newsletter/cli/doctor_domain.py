"""newsletter doctor domain: what the DNS says of the domains that letters come from, and how a letter arrives."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from newsletter import audit_log, clock, newsletters, templating
from newsletter.cli import console
from newsletter.doctor.domains import assessment, dkim_verdicts, received
from newsletter.doctor.domains.assessment import Domains
from newsletter.doctor.domains.dns import DnsResolver
from newsletter.doctor.domains.verdicts import Level, Verdict
from newsletter.errors import NewsletterError
from newsletter.mail.letters.mime import CONTROLS
from newsletter.mail.mailings import probes
from newsletter.newsletters import Newsletter
from newsletter.settings import Settings

NOTICE = """\
A probe leaves for {} within seconds, while a worker runs. When it is there, see:
  - where it arrived: in the inbox, or among the spam;
  - whether your mail program shows a button to unsubscribe beside the sender;
  - what the receiving server found: save the letter with all headers (show original, or save as), and then
        newsletter doctor domain {} --read probe.eml"""

MARGIN = 23  # characters before a line's words


@dataclass(frozen=True)
class DomainOptions:
    """What the command line says about whom and what to ask."""

    resolver: DnsResolver
    selectors: tuple[str, ...]


def domain(
    newsletter: Annotated[str | None, typer.Argument(help="The newsletter's slug; without it, each of them.")] = None,
    selector: Annotated[list[str] | None, typer.Option(help="Where your DKIM key stands; may be given again.")] = None,
    probe: Annotated[str | None, typer.Option(help="Send one real letter of the newsletter to this address.")] = None,
    read: Annotated[str | None, typer.Option(help="A received letter with all its headers: a file, or - .")] = None,
    nameserver: Annotated[str | None, typer.Option(help="Ask this DNS server: its address, or ADDRESS:PORT.")] = None,
    as_json: console.Json = False,
) -> None:
    """Check SPF, DKIM, DMARC, MX and PTR of the domains that letters come from; exit 1 where something is wrong."""
    asked = DomainOptions(_resolver(nameserver), tuple(selector or ()))
    if read is not None:
        _show(_read(read, asked.resolver), as_json=as_json)
        return
    settings = console.configured()
    with console.database(settings) as database:
        with database.reading() as session:
            found = [newsletters.named(session, newsletter)] if newsletter else newsletters.every(session)
        if probe is not None:
            if newsletter is None:
                raise typer.BadParameter("name the newsletter whose letter is to be sent", param_hint="--probe")
            with database.writing() as session:
                delivery = probes.write(
                    session,
                    found[0],
                    probe,
                    templates=templating.environment(),
                    base_url=settings.base_url,
                    actor=audit_log.system_user(),
                    now=clock.now(),
                )
            console.show({"delivery": delivery}, as_json=as_json, text=NOTICE.format(probe, newsletter))
            return
    _show(_examined(found, settings, asked), as_json=as_json)


def _examined(found: Iterable[Newsletter], settings: Settings, asked: DomainOptions) -> list[Verdict]:
    """The verdicts on each set of domains once, however many newsletters share it."""
    sets = dict.fromkeys(
        Domains(_domain(each.sender), _domain(each.reply_to), each.return_path_domain) for each in found
    )
    verdicts = (
        assessment.examine(
            asked.resolver,
            domains,
            relays=settings.smtp_url,
            ehlo_name=settings.ehlo_name,
            selectors=asked.selectors,
        )
        for domains in sets
    )
    return list(dict.fromkeys(verdict for each in verdicts for verdict in each))


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _resolver(nameserver: str | None) -> DnsResolver:
    if nameserver is None:
        return DnsResolver()
    host, port = nameserver, "53"
    if nameserver.count(":") == 1:
        host, _, port = nameserver.partition(":")
    try:
        address = str(ip_address(host.strip("[]")))
    except ValueError:
        address = ""
    if not address or not port.isdecimal() or not 0 < int(port) < 65536:
        says = "enter an address such as 192.0.2.53 or 192.0.2.53:53"
        raise typer.BadParameter(says, param_hint="--nameserver")
    return DnsResolver(address, int(port))


def _read(place: str, resolver: DnsResolver) -> list[Verdict]:
    """The verdicts on a received letter, and on the keys that it is signed with."""
    source = sys.stdin.buffer.read(received.MAX_BYTES) if place == "-" else Path(place).read_bytes()
    if not received.author(source):
        raise NewsletterError(f"{place}: this is no letter; its headers have to stand at its beginning.")
    keys = [
        verdict
        for selector, signer in received.selectors(source)
        for verdict in dkim_verdicts.judge(resolver, signer, [selector])
    ]
    return [*received.judge(source, resolver), *keys]


def _show(verdicts: list[Verdict], *, as_json: bool) -> None:
    levels = {each.level for each in verdicts}
    verdict = "wrong" if Level.WRONG in levels else "unknown" if levels == {Level.UNKNOWN} else "ok"
    lines = [_line(each) for each in verdicts] or ["There is no newsletter yet."]
    if verdict == "unknown":
        lines.append("Nothing could be asked, so nothing is known. Try another DNS server with --nameserver.")
    console.show(
        {"verdict": verdict, "checks": [each._asdict() for each in verdicts]}, as_json=as_json, text="\n".join(lines)
    )
    if verdict != "ok":
        raise typer.Exit(1)


def _line(verdict: Verdict) -> str:
    """A verdict in text, without the control characters that a stranger's record may hold: a terminal obeys them."""
    lines = [f"{verdict.level:<8} {verdict.check:<14} {verdict.about}: {verdict.says}"]
    lines += [f"{'':{MARGIN}} found    {verdict.found}"] * (verdict.found is not None)
    lines += [f"{'':{MARGIN}} publish  {verdict.publish}"] * (verdict.publish is not None)
    return "\n".join(CONTROLS.sub("?", line) for line in lines)
