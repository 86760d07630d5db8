"""The links in letters: confirm, unsubscribe, never. For preferences see test_preferences_pages."""

import pytest

from newsletter import addresses
from newsletter.consent.ledger.ledger import Event, LedgerEntry
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.doctor import examination
from newsletter.links import PATHS, Purpose
from newsletter.queues.wakeups import Queue
from newsletter.templating import as_address
from tests.statements import executed
from tests.whole_service import WholeService

ANA = "ana@example.org"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture(autouse=True)
def _newsletter(service: WholeService):
    service.newsletter()


def confirmation_letter(service: WholeService, email: str = ANA):
    """Sign up, and return the confirmation letter."""
    service.sign_up(email)
    service.run(Queue.URGENT)
    return service.letters(to=email)[-1]


def standings(service: WholeService) -> dict[str, Standing]:
    with service.site.database.reading() as session:
        rows = session.query(Subscriber.address, Subscription.standing).join(
            Subscription, Subscription.subscriber_id == Subscriber.id
        )
        return dict(rows.all())


def events(service: WholeService) -> list[Event]:
    with service.site.database.reading() as session:
        assert not examination.examine(session)
        return [entry.event for entry in session.query(LedgerEntry).order_by(LedgerEntry.id)]


def test_no_link_of_any_letter_changes_anything_when_it_is_fetched(service):
    letters = [confirmation_letter(service, "waiting@example.org"), service.reader(ANA)]
    before = service.rows()
    for letter in letters:
        links = service.links(letter)
        assert len(links) >= 3
        for link in links * 3:
            assert service.browser.get(link).status_code == 200
            assert service.browser.head(link).status_code == 200
    assert service.rows() == before


def test_confirming_requires_the_button(service):
    link = service.link(confirmation_letter(service), "confirm")
    page = service.browser.get(link).text
    assert "I ask Example Press (1 Street, 00000 Town)" in page
    assert ANA not in page
    assert standings(service) == {ANA: Standing.ASKED}
    assert "subscribed" in service.browser.post(link, data={"confirm": "yes"}).text
    assert standings(service) == {ANA: Standing.SUBSCRIBED}
    assert events(service) == [Event.REQUESTED, Event.CONFIRMED]


def test_confirming_twice_is_no_error_and_adds_no_second_entry(service):
    link = service.link(confirmation_letter(service), "confirm")
    for _ in range(3):
        assert service.browser.post(link, data={"confirm": "yes"}).status_code == 200
    assert events(service) == [Event.REQUESTED, Event.CONFIRMED]
    assert service.browser.get(link).status_code == 200


def test_the_link_to_confirm_works_for_72_hours(service):
    link = service.link(confirmation_letter(service), "confirm")
    service.clock.advance(hours=71, minutes=59)
    assert service.browser.get(link).status_code == 200
    service.clock.advance(minutes=1)
    assert service.browser.get(link).status_code == 410
    assert service.browser.post(link, data={"confirm": "yes"}).status_code == 410
    assert standings(service) == {ANA: Standing.ASKED}


def test_an_old_confirmation_link_does_not_resubscribe_a_reader_who_left(service):
    letter = service.reader(ANA)
    service.browser.post(service.link(letter, "u"), data=ONE_CLICK)
    link = service.link(letter, "confirm")
    for answer in (service.browser.get(link), service.browser.post(link, data={"confirm": "yes"})):
        assert answer.status_code == 410
        assert "You have unsubscribed since this letter" in answer.text
        assert 'href="/n/morning"' in answer.text
    assert standings(service) == {ANA: Standing.LEFT}


@pytest.mark.parametrize("data", [ONE_CLICK, {"unsubscribe": "yes"}, {"unsubscribe": "yes", "all": "yes"}])
def test_the_link_of_a_confirmation_letter_does_not_subscribe_after_its_unsubscribe_link(service, data):
    letter = confirmation_letter(service)
    assert service.browser.post(service.link(letter, "u"), data=data).status_code == 200
    link = service.link(letter, "confirm")
    for answer in (service.browser.get(link), service.browser.post(link, data={"confirm": "yes"})):
        assert answer.status_code == 410
        assert "You have unsubscribed since this letter" in answer.text
    assert events(service) == [Event.REQUESTED, Event.WITHDRAWN]


def test_who_left_before_confirming_can_sign_up_again(service):
    letter = confirmation_letter(service)
    service.browser.post(service.link(letter, "u"), data=ONE_CLICK)
    service.clock.advance(days=1)
    new = confirmation_letter(service)
    assert service.browser.post(service.link(letter, "confirm"), data={"confirm": "yes"}).status_code == 410
    assert service.browser.post(service.link(new, "confirm"), data={"confirm": "yes"}).status_code == 200
    assert standings(service) == {ANA: Standing.SUBSCRIBED}


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (FORM, "List-Unsubscribe=One-Click"),
        (FORM, "List-Unsubscribe=One-Click\r\n"),
        (FORM, "list-unsubscribe=one-click "),
        (MULTIPART, '--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'),
        ({"Content-Type": "text/plain;charset=UTF-8"}, "List-Unsubscribe=One-Click"),
        ({}, "List-Unsubscribe=One-Click"),
    ],
    ids=["form", "line end", "lower case", "multipart", "text", "no content type"],
)
def test_one_click_unsubscribe_acts_at_once(service, headers, body):
    control = service.reader("control@example.org")
    link = service.link(service.reader(ANA), "u")
    answer = service.browser.post(link, content=body.encode(), headers=headers, follow_redirects=False)
    assert answer.status_code == 200
    assert not answer.history
    assert "set-cookie" not in answer.headers
    assert standings(service) == {ANA: Standing.LEFT, "control@example.org": Standing.SUBSCRIBED}
    assert service.browser.post(link, content=body.encode(), headers=headers).status_code == 200
    assert events(service).count(Event.WITHDRAWN) == 1
    assert control


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_one_click_pair_in_a_url_that_is_only_fetched_changes_nothing(service, method):
    link = service.link(service.reader(ANA), "u")
    assert service.browser.request(method, f"{link}?List-Unsubscribe=One-Click").status_code == 200
    assert standings(service) == {ANA: Standing.SUBSCRIBED}


def test_the_button_on_the_page_unsubscribes_too(service):
    link = service.link(service.reader(ANA), "u")
    page = service.browser.get(link).text
    assert as_address(addresses.mask(ANA)) in page
    assert ANA not in page
    assert service.browser.post(link, data={"unsubscribe": "yes"}).status_code == 200
    assert standings(service) == {ANA: Standing.LEFT}


@pytest.mark.parametrize("data", [{}, {"List-Unsubscribe": "Two-Clicks"}, {"unsubscribe": ""}])
def test_a_post_without_a_valid_choice_changes_nothing(service, data):
    link = service.link(service.reader(ANA), "u")
    answer = service.browser.post(link, data=data)
    assert answer.status_code == 422
    assert answer.text == service.browser.get(link).text, "the page with the button"
    assert standings(service) == {ANA: Standing.SUBSCRIBED}


@pytest.mark.parametrize("path", ["confirm", "never"])
def test_only_the_buttons_own_field_confirms_or_refuses(service, path):
    link = service.link(confirmation_letter(service), path)
    before = service.rows()
    page = service.browser.get(link).text
    others = [
        {},
        {"x": "1"},
        {"confirm": ""},
        {"never": "no"},
        {"yes": "confirm"},
        {"unsubscribe": "yes", "save": "yes"},
    ]
    for data in others:
        answer = service.browser.post(link, data=data)
        assert (answer.status_code, answer.text) == (422, page), "the page with the button"
    assert service.rows() == before


@pytest.mark.parametrize("data", [{}, {"x": "1"}, {"all": "yes"}, {"unsubscribe": "no", "all": "yes"}])
def test_only_the_button_or_the_one_click_pair_unsubscribes(service, data):
    link = service.link(service.reader(ANA), "u")
    page, before = service.browser.get(link).text, service.rows()
    answer = service.browser.post(link, data=data)
    assert (answer.status_code, answer.text) == (422, page), "the page with the button"
    assert service.rows() == before


def test_the_button_of_one_page_does_nothing_on_another(service):
    letter = confirmation_letter(service)
    before = service.rows()
    for path, field in [("confirm", "never"), ("never", "confirm")]:
        assert service.browser.post(service.link(letter, path), data={field: "yes"}).status_code == 422
    assert service.rows() == before


def test_our_own_token_for_nothing_that_exists_is_not_found(service):
    letter = service.reader(ANA)
    token = service.site.links.token
    before = service.rows()
    for purpose, path in PATHS.items():
        if purpose is Purpose.OPERATOR_LINK:
            continue  # a page of the desk
        for ids in ([1, 2, 3], [2**63, 1], [1, 2**63], [1] * 9):
            link = f"/{path}/{token(purpose, *ids)}"
            for answer in (service.browser.get(link), service.browser.post(link, data=ONE_CLICK)):
                assert answer.status_code == 404
    for link in (f"/u/{token(Purpose.UNSUBSCRIBE, 1, 99)}", f"/u/{token(Purpose.UNSUBSCRIBE, 1, 0)}"):
        assert service.browser.get(link).status_code == service.browser.post(link, data=ONE_CLICK).status_code == 404
    for purpose in (Purpose.CONFIRM, Purpose.NEVER):
        link = f"/{PATHS[purpose]}/{token(purpose, 99, 99)}"
        assert service.browser.get(link).status_code == service.browser.post(link).status_code == 410
    assert service.rows() == before
    assert letter


def test_a_deleted_reader_is_unsubscribed(service):
    """The mail program's button stays in a letter whose reader was deleted since; it must not fail."""
    link = f"/u/{service.site.links.token(Purpose.UNSUBSCRIBE, 99, 1)}"
    assert "You are unsubscribed" in service.browser.get(link).text
    assert service.browser.post(link, data=ONE_CLICK).status_code == 200


def test_unsubscribing_from_everything_stops_every_newsletter(service):
    service.newsletter("evening")
    letter = service.reader(ANA)
    service.reader(ANA, "evening")
    service.browser.post(service.link(letter, "u"), data={"unsubscribe": "yes", "all": "yes"})
    with service.site.database.reading() as session:
        assert {row.standing for row in session.query(Subscription)} == {Standing.LEFT}


def test_an_unsubscribe_link_never_expires(service):
    link = service.link(service.reader(ANA), "u")
    service.clock.advance(days=4000)
    assert service.browser.post(link, data=ONE_CLICK).status_code == 200
    assert standings(service) == {ANA: Standing.LEFT}


def test_after_never_no_letter_is_sent_whoever_signs_up(service):
    never = service.link(confirmation_letter(service), "never")
    assert service.browser.post(never, data={"never": "yes"}).status_code == 200
    assert standings(service) == {ANA: Standing.LEFT}
    service.clock.advance(days=2)
    for spelling in (ANA, "Ana@Example.org"):
        assert service.sign_up(spelling).status_code == 202
    service.run()
    assert len(service.letters()) == 1, "the one that held the link"
    assert service.browser.get(never).status_code == 200
    assert events(service) == [Event.REQUESTED, Event.WITHDRAWN, Event.REFUSED]


def test_a_hundred_sign_ups_in_any_spelling_cause_three_letters_a_day(service):
    spellings = ["ana@example.org", "ANA@example.org", *(f"ana+{number}@example.org" for number in range(8))]
    for number in range(100):
        assert service.sign_up(spellings[number % len(spellings)]).status_code == 202
    service.run()
    assert len(service.letters()) == 3
    assert len(service.letters(to=ANA)) == 1
    service.clock.advance(days=1)
    service.sign_up(ANA)
    service.run()
    assert len(service.letters()) == 4


def test_a_subscribed_reader_gets_no_second_letter(service):
    service.reader(ANA)
    service.clock.advance(days=1)
    service.sign_up(ANA)
    service.run()
    assert len(service.letters()) == 1


def test_incomplete_changed_or_misused_links_change_nothing(service):
    letter = service.reader(ANA)
    service.sign_up("open@example.org")
    service.run(Queue.URGENT)
    before = service.rows()
    tokens = {path: service.link(letter, path).rpartition("/")[2] for path in ("confirm", "never", "u")}
    tokens["confirm"] = tokens["confirm"].rpartition(".")[0]  # without its part, which only a renewal reads
    wrong = [
        *(f"/{path}/{token[:-1]}" for path, token in tokens.items()),
        *(f"/{path}/{token[:-1]}{'A' if token[-1] != 'A' else 'Q'}" for path, token in tokens.items()),
        *(f"/{path}/{token.replace('k1.', 'k2.')}" for path, token in tokens.items()),
        *(f"/{path}/{tokens[other]}" for path in tokens for other in tokens if path != other),
        "/preferences/" + tokens["u"],
        "/u/" + "A" * 5000,
        "/u/k1.",
        "/u/%00",
        "/confirm/k1.ÄÄÄ",
    ]
    for link in wrong:
        for answer in (service.browser.get(link), service.browser.post(link, data={**ONE_CLICK, "save": "yes"})):
            assert 400 <= answer.status_code < 500, link
            assert "<h1>" in answer.text
    assert service.rows() == before


def test_pages_behind_links_are_private(service):
    for link in service.links(confirmation_letter(service)):
        headers = service.browser.get(link).headers
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        if not link.startswith(("/n/", "/archive")):
            assert headers["cache-control"] == "no-store"
            assert "noindex" in headers["x-robots-tag"]


def test_the_sign_up_page_cannot_be_framed(service):
    assert "frame-ancestors 'none'" in service.browser.get("/").headers["content-security-policy"]


@pytest.mark.parametrize("service", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
def test_the_pages_cost_few_statements(service):
    def statements(path: str, data: dict[str, str] | None = None) -> int:
        with executed(service.site.database) as done:
            assert (service.browser.post(path, data=data) if data else service.browser.get(path)).status_code == 200
        return len(done)

    letter = confirmation_letter(service)
    confirm, leave, never = (service.link(letter, path) for path in ("confirm", "u", "never"))
    assert [statements(confirm), statements(confirm, {"confirm": "yes"})] == [2, 8]
    assert [statements(confirm), statements(confirm, {"confirm": "yes"})] == [1, 2], "again"
    assert [statements(leave), statements(leave, ONE_CLICK)] == [1, 6]
    assert [statements(leave), statements(leave, ONE_CLICK)] == [2, 3], "again"
    assert statements(never) == 1
