"""Newsletters at the desk on each database: adding one, and the list."""

from datetime import timedelta

from newsletter import newsletters
from newsletter.consent.counts.day_counts import ALL, DayCounts
from newsletter.consent.wordings import wordings
from newsletter.operators.roles import Role
from tests.clock import NOON
from tests.web.desk.conftest import ON_BOTH
from tests.web.desk.newsletters.texts import FIELDS, text


def test_a_newsletter_is_added_with_its_proposed_words_and_a_check_of_its_domain(service, sign_in):
    desk = sign_in(Role.ADMIN)
    answer = desk.post("/newsletters/new", FIELDS, of="/newsletters/new")
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/newsletters/the-dawn-letter?done=added")
    with service.site.database.reading() as session:
        added = newsletters.named(session, "the-dawn-letter")
        assert (added.name, added.languages, added.brand) == (
            "The Dawn Letter",
            ["de", "en", "fr", "el", "pt-BR"],
            "#aa2200",
        )
        assert wordings.current(session, added.id, "de").text.startswith("Ich ")
        assert wordings.current(session, added.id, "en") is None
    page = desk.page("/newsletters/the-dawn-letter?done=added")
    assert "added" in text(page, ".notice")[0]
    assert "domain is being checked" in page.css_first("dl").text()


@ON_BOTH
def test_the_list_shows_readers_standing_and_only_what_an_operator_may_see(service, sign_in):
    morning, evening = service.newsletter("morning", other_languages=["de"]), service.newsletter("evening")
    with service.site.database.writing() as session:
        for number, readers in ((ALL, 1500), (morning.id, 1204), (evening.id, 1)):
            for days, seen in ((0, readers), (1, 7)):
                day = (NOON - timedelta(days=days)).date()
                session.add(DayCounts(day=day, newsletter_id=number, joined=0, left=0, readers=seen, counted_at=NOON))
    page = sign_in(Role.VIEWER).page("/newsletters")
    assert text(page, "h1") == ["2 newsletters, read by 1,500 people"]
    assert text(page, "td.num") == ["1", "1,204"]
    assert "no sign-ups in German" in text(page, "tbody tr")[1]
    own = sign_in(Role.ADMIN, "evening").page("/newsletters")
    assert text(own, "h1") == ["1 newsletter"]
    assert text(own, "th[scope=row] a") == ["The Evening Letter"]
    assert not own.css("a.button"), "only an administrator of all newsletters adds one"
    assert text(sign_in(Role.VIEWER, "morning").page("/newsletters/morning"), "h1") == [
        "The Morning Letter has 1,204 readers"
    ]
