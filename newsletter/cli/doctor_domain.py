"""newsletter doctor domain: check the sending domains' DNS records, and what a received letter shows."""

import sys
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from newsletter import audit_log, clock, newsletters, templating
from newsletter.cli import console
from newsletter.doctor.domains import dkim_verdicts, received
from newsletter.doctor.domains.dns import DnsResolver
from newsletter.doctor.domains.domain_examiner import DomainExaminer
from newsletter.doctor.domains.verdicts import Level, Verdict
from newsletter.errors import NewsletterError
from newsletter.mail.letters.mime import CONTROLS
from newsletter.mail.mailings import probes

PROBE_INSTRUCTIONS = """\
A running worker sends the probe to {} within seconds. When it arrives, check:
  - the folder: inbox or spam;
  - whether your mail program shows an unsubscribe button beside the sender;
  - the receiving server's verdict: save the letter with all headers (show original, or save as), then run
        newsletter doctor domain {} --read probe.eml"""

INDENT = 23  # characters before the text of a verdict's second and third line


@dataclass(frozen=True)
class DomainOptions:
    """The DNS server to ask, and the DKIM selectors to look up."""

    resolver: DnsResolver
    selectors: tuple[str, ...]


def domain(
    newsletter: Annotated[
        str | None, typer.Argument(help="The newsletter's slug; by default every newsletter.")
    ] = None,
    selector: Annotated[list[str] | None, typer.Option(help="DKIM selector to look up; may be repeated.")] = None,
    probe: Annotated[str | None, typer.Option(help="Send one real letter of the newsletter to this address.")] = None,
    read: Annotated[str | None, typer.Option(help="Judge a received letter with all headers: a file, or - .")] = None,
    nameserver: Annotated[str | None, typer.Option(help="DNS server to ask, as ADDRESS or ADDRESS:PORT.")] = None,
    as_json: console.Json = False,
) -> None:
    """Check the sending domains' DNS records, and the settings that receivers see; exit 1 if something is wrong.

    Covers SPF, DKIM, DMARC, MX and PTR, HTTPS in NEWSLETTER_BASE_URL, and TLS to the relays.
    """
    options = DomainOptions(_resolver(nameserver), tuple(selector or ()))
    if read is not None:
        _show(_read(read, options.resolver), as_json=as_json)
        return
    settings = console.configured()
    with console.database(settings) as database:
        with database.reading() as session:
            chosen = [newsletters.named(session, newsletter)] if newsletter else newsletters.every(session)
        if probe is not None:
            if newsletter is None:
                raise typer.BadParameter("name the newsletter of the probe letter", param_hint="--probe")
            with database.writing() as session:
                delivery = probes.write(
                    session,
                    chosen[0],
                    probe,
                    templates=templating.environment,
                    base_url=settings.base_url,
                    actor=audit_log.system_user(),
                    now=clock.now(),
                )
            console.show({"delivery": delivery}, as_json=as_json, text=PROBE_INSTRUCTIONS.format(probe, newsletter))
            return
    examiner = DomainExaminer(
        settings.base_url,
        settings.is_public_http,
        settings.ehlo_name,
        settings.smtp_url,
        resolver=lambda: options.resolver,
    )
    _show(examiner.examine(chosen, selectors=options.selectors), as_json=as_json)


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
        message = "enter an address such as 192.0.2.53 or 192.0.2.53:53"
        raise typer.BadParameter(message, param_hint="--nameserver")
    return DnsResolver(address, int(port))


def _read(file: str, resolver: DnsResolver) -> list[Verdict]:
    """Return the verdicts on a received letter, and on the DKIM keys of its signatures."""
    source = sys.stdin.buffer.read(received.MAX_BYTES) if file == "-" else Path(file).read_bytes()
    if not received.author(source):
        raise NewsletterError(f"{file}: not a letter; it must begin with its headers.")
    keys = [
        verdict
        for selector, signer in received.selectors(source)
        for verdict in dkim_verdicts.judge(resolver, signer, [selector])
    ]
    return [*received.judge(source, resolver), *keys]


def _show(verdicts: list[Verdict], *, as_json: bool) -> None:
    levels = {each.level for each in verdicts}
    verdict = "wrong" if Level.WRONG in levels else "unknown" if levels == {Level.UNKNOWN} else "ok"
    lines = [_line(each) for each in verdicts] or ["No newsletters yet."]
    if verdict == "unknown":
        lines.append("No DNS query was answered. Try another DNS server with --nameserver.")
    console.show(
        {"verdict": verdict, "checks": [each._asdict() for each in verdicts]}, as_json=as_json, text="\n".join(lines)
    )
    if verdict != "ok":
        raise typer.Exit(1)


def _line(verdict: Verdict) -> str:
    """Format a verdict, without the control characters that a foreign DNS record may send to the terminal."""
    lines = [f"{verdict.level:<8} {verdict.check:<14} {verdict.about}: {verdict.says}"]
    lines += [f"{'':{INDENT}} found    {verdict.found}"] * (verdict.found is not None)
    lines += [f"{'':{INDENT}} publish  {verdict.publish}"] * (verdict.publish is not None)
    return "\n".join(CONTROLS.sub("?", line) for line in lines)
