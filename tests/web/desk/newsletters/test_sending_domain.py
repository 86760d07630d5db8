"""The sending domain at the desk: a check is asked for, a worker makes it, and the page shows what to publish."""

from dataclasses import replace

import pytest

from newsletter.doctor.domains.dns import DnsResolver
from newsletter.doctor.domains.domain_examiner import DomainExaminer
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from newsletter.relays import Relay
from tests.waiting import TIMEOUT
from tests.web.desk.newsletters.test_settings import send
from tests.web.desk.newsletters.texts import text
from workers import jobs

DOMAIN = "/newsletters/morning/domain"


@pytest.fixture
def check_domains(service, zone):
    """Run the workers' job, which asks the DNS server of the tests."""

    def resolver() -> DnsResolver:
        return DnsResolver("127.0.0.1", zone.port, try_timeout=TIMEOUT, timeout=TIMEOUT)

    examiner = DomainExaminer("https://letters.example", False, "mail.press.example", (), resolver)
    context = replace(service.context, domain_examiner=examiner)

    def run() -> int:
        made = 0
        while jobs.check_domains(context):
            made += 1
        return made

    return run


def test_a_check_is_made_by_a_worker_and_shows_what_to_publish(service, sign_in, zone, check_domains):
    service.newsletter()
    zone.put("press.example", TXT="v=spf1 <b>+all", MX="10 mail.press.example.")
    zone.put("mail.press.example", A="192.0.2.1")
    desk = sign_in(Role.EDITOR, "morning")
    assert text(desk.page(DOMAIN), "h1") == ["press.example was not checked yet"]
    for _ in range(2):
        assert desk.post(DOMAIN, of=DOMAIN if _ == 0 else "").headers["location"] == f"/desk{DOMAIN}"
    page = desk.page(DOMAIN)
    assert text(page, "h1") == ["press.example is being checked"]
    assert page.css_first("[data-hx-trigger='every 2s']").attributes["data-hx-get"] == f"/desk{DOMAIN}"
    assert check_domains() == 1, "asking twice makes one check"
    page = desk.page(DOMAIN)
    assert not page.css("[data-hx-trigger]")
    assert "needs" in text(page, "h1")[0]
    tags = text(page, ".items .tag")
    assert tags == sorted(tags, key=["needs a change", "unknown", "works, advice", "in order"].index)
    assert "_dmarc.press.example" in text(page, "code[id]")
    assert "v=DMARC1; p=none; rua=mailto:postmaster@press.example" in text(page, "code[id]")
    assert "&lt;b&gt;+all" in desk.get(DOMAIN).text, "a foreign record is text"
    assert "domain needs a change" in desk.page("/newsletters").css_first("tbody").text()


def test_a_check_again_keeps_the_findings_until_the_new_ones_are_there(service, sign_in, zone, check_domains):
    service.newsletter()
    desk = sign_in(Role.EDITOR, "morning")
    desk.post(DOMAIN, of=DOMAIN)
    check_domains()
    service.clock.advance(minutes=1)
    desk.post(DOMAIN, of=DOMAIN)
    page = desk.page(DOMAIN)
    assert page.css(".items li")
    assert page.css("progress")
    assert check_domains() == 1
    assert not desk.page(DOMAIN).css("progress")


def test_a_dns_that_does_not_answer_is_unknown_and_never_wrong(service, sign_in, zone, check_domains):
    service.newsletter()
    zone.failing |= {"press.example", "_dmarc.press.example", "default._domainkey.press.example"}
    desk = sign_in(Role.EDITOR, "morning")
    desk.post(DOMAIN, of=DOMAIN)
    check_domains()
    assert "did not answer" in text(desk.page(DOMAIN), "h1")[0]
    assert set(text(desk.page(DOMAIN), ".items .tag")) == {"unknown"}


def test_a_new_sender_asks_for_a_check_by_itself(service, sign_in, zone, check_domains):
    service.newsletter()
    desk = sign_in(Role.ADMIN, "morning")
    desk.post(DOMAIN, of=DOMAIN)
    assert check_domains() == 1
    service.clock.advance(minutes=1)
    send(desk, sender="letters@dawn.example")
    assert text(desk.page(DOMAIN), "h1")[0].startswith("dawn.example ")
    assert check_domains() == 1
    assert "dawn.example" in text(desk.page(DOMAIN), ".items code")


def test_findings_about_the_servers_are_for_those_who_see_the_whole_service(service, sign_in, zone):
    service.newsletter()
    own, everywhere = sign_in(Role.ADMIN, "morning"), sign_in(Role.EDITOR)
    own.post(DOMAIN, of=DOMAIN)
    relay = Relay.parse("smtp://mail.relay.example?tls=optional")
    examiner = DomainExaminer(
        "http://letters.example", True, "mail.press.example", (relay,), lambda: DnsResolver("127.0.0.1", zone.port)
    )
    jobs.check_domains(replace(service.context, domain_examiner=examiner))
    seen = [set(text(desk.page(DOMAIN), ".items b")) for desk in (own, everywhere)]
    assert seen[1] - seen[0] == {"Server", "TLS", "Address of the site"}
    assert "DMARC" in seen[0]


def test_a_viewer_reads_the_findings_and_asks_for_none(service, sign_in):
    service.newsletter()
    viewer = sign_in(Role.VIEWER, "morning")
    assert not viewer.page(DOMAIN).css("main form")
    assert viewer.post(DOMAIN).status_code == 403
    assert Queue.FEEDS in jobs.JOBS
    assert jobs.check_domains in jobs.JOBS[Queue.FEEDS]
