"""What visitors and readers see after an operator has changed a newsletter."""

from newsletter import newsletters, templating
from newsletter.consent.wordings import wording_publication
from newsletter.web.public.offered_newsletters import MAX_AGE
from workers import jobs

ANA, EVE = "ana@example.org", "eve@example.org"


def change(service, **changes: str) -> None:
    with service.site.database.writing() as session:
        newsletter = newsletters.named(session, "morning")
        pages, by = templating.environment, {"actor": "tests", "now": service.clock()}
        wording_publication.change_newsletter(session, pages, newsletter, **changes, **by)


def test_pages_show_a_change_after_five_seconds_and_a_form_from_before_still_signs_up(service):
    service.newsletter()
    before = service.browser.get("/n/morning").text
    change(service, name="The Dawn Letter", publisher="Dawn Press")
    assert service.browser.get("/n/morning").text == before
    old_form = service.form("morning")
    service.cache_clock.now += MAX_AGE
    page = service.browser.get("/n/morning").text
    assert "The Dawn Letter" in page
    assert "Dawn Press" in page
    assert service.browser.post("/subscribe", data={**old_form, "email": ANA}).status_code == 202
    assert service.sign_up(EVE).status_code == 202
    service.run()
    assert [letter["Subject"] for letter in service.letters()] == ["Please confirm: The Dawn Letter"] * 2


def test_a_letter_that_is_written_keeps_its_text_and_sender(service):
    service.newsletter()
    service.sign_up(ANA)
    jobs.process_signups(service.context)
    change(service, name="The Dawn Letter", sender="dawn@press.example")
    service.run()
    (letter,) = service.letters(to=ANA)
    assert "Dawn" not in letter["Subject"]
    assert "dawn@" not in letter["From"]
