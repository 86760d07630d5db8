"""The fields of a newsletter at the desk: what a change does, what it says, and its previews."""

import pytest

from newsletter import newsletters
from newsletter.consent.wordings import wordings
from newsletter.operators.roles import Role
from tests.web.desk.newsletters.texts import text

SETTINGS = "/newsletters/morning/settings"


@pytest.fixture
def morning(service):
    return service.newsletter(sender_name="The Desk", other_languages=["de"])


def shown(page):
    """Return the form of a page as a browser would send it."""
    fields: dict[str, list[str]] = {}
    for each in page.css("#settings input, #settings textarea"):
        attributes = each.attributes
        if attributes["name"] == "form_token" or (attributes.get("type") == "checkbox" and "checked" not in attributes):
            continue
        value = each.text() if each.tag == "textarea" else attributes.get("value") or ""
        fields.setdefault(attributes["name"], []).append(value.strip())
    return fields


def send(desk, *, opened=None, path=SETTINGS, **changes):
    """Change fields in the form as it was opened, and send it."""
    return desk.post(path, {**(opened or shown(desk.page(SETTINGS))), **changes}, of=SETTINGS)


def stored(service):
    with service.site.database.reading() as session:
        return newsletters.named(session, "morning")


def test_the_form_sent_as_it_is_changes_nothing(service, sign_in, morning):
    desk, rows = sign_in(Role.ADMIN, "morning"), service.rows()
    answer = send(desk)
    assert answer.headers["location"] == f"/desk{SETTINGS}?done=same"
    assert service.rows() == rows


def test_a_change_is_told_with_what_follows_and_a_reload_repeats_nothing(service, sign_in, morning):
    desk = sign_in(Role.ADMIN, "morning")
    answer = send(
        desk,
        publisher="Dawn Press",
        sender="dawn@press.example",
        other_languages=["fr"],
        signup_thanks_url="HTTPS://Press.example/almost",
    )
    location = answer.headers["location"].removeprefix("/desk")
    done, left = text(desk.page(location), ".notice")
    assert "Publisher: Dawn Press (before: Example Press)" in done
    assert "Page after signing up: https://press.example/almost (before: none)" in done
    assert "Version 2 of the words of consent (en) is published with it" in done
    assert "Replies still go to letters@press.example." in done
    assert "It takes no new sign-ups in German" in done
    assert "There are no sign-ups in French" in left
    assert text(desk.page(location), ".notice") == [done, left]
    with service.site.database.reading() as session:
        newsletter = newsletters.named(session, "morning")
        assert "Dawn Press" in wordings.current(session, newsletter.id, "en").text
    overview = desk.page("/newsletters/morning")
    assert any(f"{desk.address} changed" in each for each in text(overview, ".ledger li"))
    assert "domain is being checked" in overview.css_first("dl").text()


def test_own_words_that_name_the_former_publisher_are_told_until_they_are_replaced(service, sign_in, morning):
    service.publish_words("morning", "I want the letter of Example Press.", "en")
    desk = sign_in(Role.ADMIN, "morning")
    location = send(desk, publisher="Dawn Press").headers["location"].removeprefix("/desk")
    notices = desk.page(location).css(".notice.warn")
    assert "still name “Example Press”" in notices[0].text()
    service.publish_words("morning", "I want the letter of Dawn Press.", "en")
    assert "still name" not in desk.get(location).text


def test_two_operators_who_change_other_fields_keep_each_others_changes(service, sign_in, morning):
    first, second = sign_in(Role.ADMIN), sign_in(Role.ADMIN)
    opened = shown(first.page(SETTINGS))
    send(second, name="The Evening Letter")
    send(first, opened=opened, zone="Europe/Berlin")
    assert (stored(service).name, stored(service).zone) == ("The Evening Letter", "Europe/Berlin")


def test_a_refused_form_is_shown_again_and_sent_once_more_changes_what_was_meant(service, sign_in, morning):
    desk = sign_in(Role.ADMIN, "morning")
    rows = service.rows()
    answer = send(desk, name="<script>alert(1)</script>", zone="Mars/Olympus", sender="", site_url="press")
    assert answer.status_code == 422
    assert "&lt;script&gt;" in answer.text
    assert "<script>alert" not in answer.text
    assert all(f'id="{field}-error"' in answer.text for field in ("zone", "sender", "site_url"))
    assert service.rows() == rows
    again = shown(type(desk.page())(answer.text))
    send(desk, opened=again, zone="UTC", sender="letters@press.example", site_url="")
    assert stored(service).name == "<script>alert(1)</script>"


def test_previews_show_what_is_entered_and_change_nothing(service, sign_in, morning):
    desk, rows = sign_in(Role.ADMIN, "morning"), service.rows()
    for kind in ("letter", "page"):
        path = f"/newsletters/morning/preview/{kind}"
        assert "The Morning Letter" in desk.page(path).body.text()
        answer = send(desk, path=path, name="The Evening Letter", publisher="Dawn Press", brand="#aa2200")
        assert answer.status_code == 200
        assert all(word in answer.text for word in ("The Evening Letter", "Dawn Press", "aa2200"))
        policy = answer.headers["content-security-policy"]
        assert "sandbox" in policy
        assert "frame-ancestors 'self'" in policy
        assert "script-src" not in policy
        refused = send(desk, path=path, name="")
        assert (refused.status_code, "Enter the newsletter" in refused.text) == (422, True)
    assert "Dawn Press (1 Street" in send(desk, path="/newsletters/morning/preview/page", publisher="Dawn Press").text
    assert service.rows() == rows


def test_only_administrators_of_the_newsletter_change_it(service, sign_in, morning):
    service.newsletter("evening")
    publisher, other = sign_in(Role.PUBLISHER, "morning"), sign_in(Role.ADMIN, "evening")
    assert not publisher.page("/newsletters/morning").css(f"a[href='/desk{SETTINGS}']")
    assert (publisher.get(SETTINGS).status_code, other.get(SETTINGS).status_code) == (403, 404)
    assert publisher.post(SETTINGS, {"name": "Mine"}).status_code == 403
    assert other.post(SETTINGS, {"name": "Mine"}).status_code == 404
    assert stored(service).name == "The Morning Letter"


def test_an_entry_about_something_else_is_no_report(service, sign_in, morning):
    service.newsletter("evening")
    desk = sign_in(Role.ADMIN, "morning")
    for number in ("1", "2", "99999", "x", "9" * 40):
        assert not desk.page(f"{SETTINGS}?change={number}").css(".notice")
