"""An expired link to confirm, after its address was deleted: one press for a new one, and nothing about anybody."""

from email.message import EmailMessage

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from newsletter import templating
from newsletter.consent.ledger.ledger import Evidence, LedgerEntry
from newsletter.consent.signups import renewals
from newsletter.consent.signups.renewals import FormerSignup
from newsletter.consent.signups.signups import Signup
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.consent.wordings import wording_publication
from newsletter.consent.wordings.exhibits import Exhibit
from newsletter.doctor import examination
from newsletter.links import Purpose
from newsletter.newsletters import every
from newsletter.queues.wakeups import Queue
from tests.builders import a_bare_newsletter
from tests.clock import NOON
from tests.statements import executed
from tests.whole_service import WholeService, whole_service

ANA = "ana@example.org"
HEARTBEATS = ("BEGIN", "UPDATE carriers", "SELECT carriers")  # of the worker, which come when they come
CONFIRM, NEVER, LEAVE = {"confirm": "yes"}, {"never": "yes"}, {"unsubscribe": "yes"}


@pytest.fixture
def lone(sqlite_url, tmp_path):
    """A service with one newsletter, for what no database decides."""
    with whole_service(sqlite_url, tmp_path) as service:
        service.newsletter()
        yield service


def asked(service: WholeService, email: str = ANA) -> EmailMessage:
    """Sign up, and return the letter."""
    assert service.sign_up(email, language="en").status_code == 202
    service.run(Queue.URGENT)
    return service.letters(to=email)[-1]


def forget(service: WholeService) -> None:
    """Let 72 hours pass, and the upkeep delete what nobody confirmed."""
    service.clock.advance(hours=72)
    service.run()


def forgotten(service: WholeService, email: str = ANA) -> str:
    """Sign up, let the address be deleted, and return the link of the letter."""
    link = service.link(asked(service, email), "confirm")
    forget(service)
    with service.site.database.reading() as session:
        assert not session.scalars(select(Signup)).all()
        assert not session.scalars(select(Subscriber)).all()
    return link


def made(service: WholeService, *newsletters: int, address: str = ANA, signup: int = 10**6, **facts) -> str:
    """Return the link of a letter whose sign-up was deleted, as the service writes it."""
    token = service.site.links.token(Purpose.CONFIRM, signup, 9)
    former = FormerSignup(address, newsletters or (1,), **{"language": "en", "received_at": NOON, **facts})
    part = renewals.part_maker(service.site.keyring, key="k1")(token.encode(), former)
    return f"/confirm/{token}.{part.decode()}"


def button(page) -> dict[str, str]:
    """Return what the page's button posts."""
    form = LexborHTMLParser(page.text).css_first("form#words")
    fields = form.css("input[type=hidden]")
    return {str(each.attributes["name"]): str(each.attributes["value"]) for each in fields} | {"again": "yes"}


def press(service: WholeService, link: str, **changed: str):
    return service.browser.post(link, data=button(service.browser.get(link)) | changed)


def stored(service: WholeService) -> list[Signup]:
    with service.site.database.reading() as session:
        return list(session.scalars(select(Signup).order_by(Signup.id)))


def standing(service: WholeService) -> list[Standing]:
    with service.site.database.reading() as session:
        return list(session.scalars(select(Subscription.standing).order_by(Subscription.newsletter_id)))


def test_one_press_mails_a_new_link_after_the_address_was_deleted(service):
    service.newsletter()
    link = forgotten(service)
    page = service.browser.get(link)
    assert page.status_code == 410
    assert "It worked for 72 hours" in page.text
    assert "I ask Example Press (1 Street, 00000 Town)" in page.text, "what is agreed to"
    assert "Who keeps your address, for how long, and your rights" in page.text
    answer = press(service, link)
    assert answer.status_code == 202
    assert "Check your inbox" in answer.text
    service.run(Queue.URGENT)
    letter = service.letters(to=ANA)[-1]
    newest = service.link(letter, "confirm")
    assert newest != link
    assert service.browser.post(newest, data=CONFIRM).status_code == 200
    assert standing(service) == [Standing.SUBSCRIBED]
    with service.site.database.reading() as session:
        assert list(examination.examine(session)) == []


def test_neither_page_names_the_address_in_any_form(lone):
    link = forgotten(lone)
    for answer in (lone.browser.get(link), press(lone, link), press(lone, link, wording="x")):
        assert "ana" not in answer.text
        assert "•" not in answer.text


def test_the_evidence_says_that_a_button_was_pressed_and_what_its_page_showed(lone):
    link = forgotten(lone)
    page = lone.browser.get(link)
    press(lone, link)
    lone.run(Queue.URGENT)
    posted = button(page)
    with lone.site.database.reading() as session:
        last = session.scalars(select(LedgerEntry).order_by(LedgerEntry.id.desc())).first()
        body = session.get_one(Evidence, last.id).body.decode()
        shown = session.get_one(Exhibit, posted["exhibit"])
    assert shown.body.decode() in page.text
    assert shown.kind == "renewal form"
    assert str(last.wording_id) == posted["wording"]
    for told in (
        '"method":"button on the page of an expired link"',
        '"form_kind":"renewal: on our own page, behind an expired link"',
        f'"form":"{posted["exhibit"]}"',
        f'"first_received_at":"{NOON.isoformat(timespec="seconds")}"',
    ):
        assert told in body


def test_the_letter_says_that_a_button_asked_for_it_and_not_that_an_address_was_entered(lone):
    link = forgotten(lone)
    first = lone.letters()[-1]
    press(lone, link)
    lone.run(Queue.URGENT)
    for subtype in ("plain", "html"):
        before, after = (
            " ".join(each.get_body((subtype,)).get_content().split()) for each in (first, lone.letters()[-1])
        )
        assert "entered this address" in before
        assert "entered this address" not in after
        assert "somebody opened a link that we had sent to this address" in after


def test_fetching_the_link_writes_nothing(lone):
    link, before = forgotten(lone), lone.rows()
    for _ in range(2):
        assert lone.browser.get(link).status_code == lone.browser.head(link).status_code == 410
    told = lone.browser.get(link, headers={"Accept": "application/json"})
    assert (told.status_code, list(told.json())) == (410, ["errors"])
    assert lone.rows() == before


@pytest.mark.parametrize(
    "data",
    [{}, {"List-Unsubscribe": "One-Click"}, CONFIRM, NEVER, {"again": ""}],
    ids=["nothing", "one-click", "confirm", "never", "an empty button"],
)
def test_only_the_button_asks_for_a_letter(lone, data):
    link, before = forgotten(lone), lone.rows()
    answer = lone.browser.post(link, data=data)
    assert (answer.status_code, answer.text) == (410, lone.browser.get(link).text)
    assert lone.rows() == before


def test_pages_and_their_work_are_the_same_whatever_became_of_the_person(lone):
    """Whoever holds a forwarded letter learns nothing. The sign-up of each letter was deleted."""
    lone.reader("reads@example.org")
    lone.browser.post(lone.link(lone.reader("left@example.org"), "u"), data=LEAVE)
    lone.browser.post(lone.link(asked(lone, "never@example.org"), "never"), data=NEVER)
    asked(lone, "waits@example.org")
    press(lone, made(lone, address="first@example.org"))  # keeps the exhibit
    seen = set()
    for name in ("reads", "left", "never", "waits", "new"):
        link = made(lone, address=f"{name}@example.org")
        with executed(lone.site.database, reading=True) as read:
            page = lone.browser.get(link)
        posted = button(page)
        with executed(lone.site.database) as written:
            answer = lone.browser.post(link, data=posted)
        work = tuple(each for each in (*read, *written) if not each.startswith(HEARTBEATS))
        seen.add((page.status_code, page.text, answer.status_code, answer.text, work))
    assert len(seen) == 1
    ((_, _, status, _, work),) = seen
    assert status == 202
    assert len([each for each in work if each.startswith("INSERT")]) == 1, "one sign-up, as any form stores"


def test_the_worker_answers_by_the_rules_of_every_sign_up(lone):
    lone.reader("reads@example.org")
    lone.browser.post(lone.link(lone.reader("left@example.org"), "u"), data=LEAVE)
    lone.browser.post(lone.link(asked(lone, "never@example.org"), "never"), data=NEVER)
    lone.clock.advance(days=2)
    sent = len(lone.letters())
    for name in ("reads", "left", "never", "new"):
        assert press(lone, made(lone, address=f"{name}@example.org")).status_code == 202
    lone.run(Queue.URGENT)
    assert sorted(letter["To"] for letter in lone.letters()[sent:]) == ["left@example.org", "new@example.org"]


def test_pressing_twice_mails_one_letter_and_the_inbox_gets_three_a_day(lone):
    link = forgotten(lone)
    posted = button(lone.browser.get(link))
    assert [lone.browser.post(link, data=posted).text for _ in range(2)] == [
        lone.browser.post(link, data=posted).text
    ] * 2
    lone.run(Queue.URGENT)
    assert len(lone.letters()) == 2
    for _ in range(5):
        lone.clock.advance(minutes=11)
        assert lone.browser.post(link, data=posted).status_code == 202
        lone.run(Queue.URGENT)
    assert len(lone.letters()) == 4


def test_the_old_link_says_confirmed_while_its_sign_up_is_stored_and_nothing_afterwards(lone):
    link = lone.link(asked(lone), "confirm")
    lone.clock.advance(hours=72)
    press(lone, link)  # before the upkeep deletes the address
    lone.run(Queue.URGENT)
    letter = lone.letters()[-1]
    lone.browser.post(lone.link(letter, "confirm"), data=CONFIRM)
    assert "already confirmed" in lone.browser.get(link).text
    lone.run()
    assert 'name="again"' in lone.browser.get(link).text, "its sign-up is gone, and the page tells nothing"
    lone.browser.post(lone.link(letter, "u"), data=LEAVE)
    assert press(lone, link).status_code == 202
    assert standing(lone) == [Standing.LEFT], "nothing but a letter's button subscribes again"


def test_a_page_left_open_counts_with_its_own_version_of_the_words(lone):
    link = forgotten(lone)
    posted = button(lone.browser.get(link))
    lone.publish_words("morning", "I ask for other words.", "en")
    assert button(lone.browser.get(link))["wording"] != posted["wording"]
    assert lone.browser.post(link, data=posted).status_code == 202
    (row,) = stored(lone)
    assert (str(row.wording_id), row.form) == (posted["wording"], posted["exhibit"])


@pytest.mark.parametrize(
    "changed",
    [
        {"exhibit": "0" * 64},
        {"exhibit": ""},
        {"wording": "2"},
        {"wording": "9" * 30},
        {"wording": ""},
        {"newsletters": "2"},
        {"newsletters": ""},
    ],
)
def test_words_that_the_page_did_not_show_ask_for_nothing(lone, changed):
    lone.newsletter("evening")
    link = made(lone)
    before = lone.rows()
    answer = press(lone, link, **changed)
    assert answer.status_code == 422
    assert "The words of consent have changed meanwhile." in answer.text
    assert button(answer) == button(lone.browser.get(link))
    assert lone.rows() == before


@pytest.mark.parametrize("part", ["none", "cut", "forged", "of another link", "of another purpose"])
def test_a_link_without_its_own_part_leads_to_the_form(lone, part):
    token, _, own = made(lone).rpartition(".")
    links = {
        "none": token,
        "cut": f"{token}.{own[:-6]}",
        "forged": f"{token}.{'A' if own[0] != 'A' else 'B'}{own[1:]}",
        "of another link": f"{token}.{made(lone, signup=8).rpartition('.')[2]}",
        "of another purpose": f"{token}.{token.rpartition('.')[2]}",
    }
    before = lone.rows()
    for answer in (lone.browser.get(links[part]), lone.browser.post(links[part], data={"again": "yes"})):
        assert answer.status_code == 410
        assert "enter your address again" in answer.text
        assert 'name="again"' not in answer.text
    assert lone.rows() == before


def test_a_link_whose_key_was_rotated_is_renewed_until_the_key_is_gone(sqlite_url, tmp_path):
    old, new = "k1:" + "s" * 40, "k2:" + "t" * 40
    with whole_service(sqlite_url, tmp_path, secret_keys=old) as service:
        service.newsletter()
        link = forgotten(service)
    with whole_service(sqlite_url, tmp_path, secret_keys=f"{new},{old}") as service:
        service.clock.advance(hours=80)
        assert press(service, link).status_code == 202
        service.run(Queue.URGENT)
        assert service.link(service.letters()[-1], "confirm").startswith("/confirm/k2.")
    with whole_service(sqlite_url, tmp_path / "without", secret_keys=new) as service:
        assert service.browser.get(link).status_code == 404


def publish_together(service: WholeService) -> None:
    with service.site.database.writing() as session:
        wording_publication.publish_several(
            session, templating.environment, every(session), language="en", actor="tests", now=service.clock()
        )
    service.let_the_site_read_newsletters_again()


def test_of_several_newsletters_those_that_were_asked_for_are_asked_for_again(lone):
    for slug in ("evening", "weekly"):
        lone.newsletter(slug)
    link = made(lone, 1, 3)
    assert "enter your address again" in lone.browser.get(link).text, "no words ask for both"
    publish_together(lone)
    page = lone.browser.get(link)
    assert [each.text() for each in LexborHTMLParser(page.text).css(".items b")] == [
        "The Morning Letter",
        "The Weekly Letter",
    ]
    assert press(lone, link).status_code == 202
    (row,) = stored(lone)
    assert row.newsletters == [1, 3]
    lone.run(Queue.URGENT)
    assert lone.browser.post(lone.link(lone.letters()[-1], "confirm"), data=CONFIRM).status_code == 200
    assert standing(lone) == [Standing.SUBSCRIBED] * 2


def test_a_newsletter_that_takes_no_sign_ups_is_not_asked_for(lone):
    with lone.site.database.writing() as session:
        closed = a_bare_newsletter(session, "closed").id
    lone.let_the_site_read_newsletters_again()
    alone = lone.browser.get(made(lone, closed))
    assert (alone.status_code, "Sign up again" in alone.text) == (410, True)
    assert press(lone, made(lone, closed, 1)).status_code == 202
    assert [row.newsletters for row in stored(lone)] == [[1]]


def test_the_page_and_the_next_letter_are_in_the_persons_language(lone):
    lone.newsletter("tagblatt", language="de")
    link = made(lone, 2, language="de-AT")
    page = lone.browser.get(link, headers={"Accept-Language": "fr"})
    assert (page.headers["content-language"], "Dieser Link ist abgelaufen" in page.text) == ("de-AT", True)
    assert press(lone, link).headers["content-language"] == "de-AT"
    lone.run(Queue.URGENT)
    assert "Bitte bestätigen" in lone.letters()[-1]["Subject"]
    assert lone.browser.get(made(lone, 2, language=None)).headers["content-language"] == "de"
