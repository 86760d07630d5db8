"""A newsletter's change publishes its consent wording anew where forms then read otherwise."""

import pytest

from newsletter import newsletters, templating
from newsletter.consent import proposed_words, wording_publication, wordings
from newsletter.consent.exhibits import Exhibit
from newsletter.consent.wording_publication import NewsletterChange
from tests.clock import NOON

FACTS = {
    "name": "The Morning Letter",
    "publisher": "Example Press",
    "sender": "letters@press.example",
    "postal_address": "1 Street, 00000 Town",
}
BY = {"actor": "tests", "now": NOON}
OWN = "I want The Morning Letter of Example Press. Stop it by a word to letters@press.example."
PAGES = templating.environment


def a_published_newsletter(session, text=None):
    newsletter = newsletters.add(session, slug="morning", **FACTS, **BY)
    text = text or proposed_words.consent_text([newsletter], "en")
    wording_publication.publish(session, PAGES, newsletter, text=text, **BY)
    return newsletter


def change(session, newsletter, **changes) -> NewsletterChange:
    return wording_publication.change_newsletter(session, PAGES, newsletter, **changes, **BY)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "The Dawn Letter"),
        ("publisher", "Dawn Press"),
        ("postal_address", "2 Street, 00000 Town"),
        ("reply_to", "office@press.example"),
    ],
)
def test_the_default_wording_follows_what_it_names(begin, field, value):
    with begin() as session:
        newsletter = a_published_newsletter(session)
        before = wordings.current(session, newsletter.id, "en")
        done = change(session, newsletter, **{field: value})
        assert (list(done.former), [each.version for each in done.published], done.still_named) == ([field], [2], {})
        current = wordings.current(session, newsletter.id, "en")
        assert current.text == proposed_words.consent_text([newsletter], "en")
        assert value in current.text
        assert value in session.get_one(Exhibit, current.form_exhibit).body.decode()
        assert before.text != current.text, "the version before stays as it was shown"


@pytest.mark.parametrize(
    ("changes", "still_named"),
    [
        ({"publisher": "Dawn Press"}, ["publisher"]),
        ({"name": "The Dawn Letter", "publisher": "Dawn Press"}, ["name", "publisher"]),
        ({"sender": "dawn@press.example"}, ["sender"]),
        ({"postal_address": "2 Street, 00000 Town"}, []),
    ],
)
def test_a_wording_of_the_publishers_own_stays_and_its_former_values_are_told(begin, changes, still_named):
    with begin() as session:
        newsletter = a_published_newsletter(session, OWN)
        assert change(session, newsletter, **changes).still_named == ({"en": still_named} if still_named else {})
        assert wordings.current(session, newsletter.id, "en").text == OWN


@pytest.mark.parametrize("changes", [{"return_path_domain": "bounces.press.example"}, {"brand": "#123456"}, {}])
def test_what_the_form_does_not_show_publishes_no_wording(begin, changes):
    with begin() as session:
        newsletter = a_published_newsletter(session)
        assert change(session, newsletter, **changes).published == []


def test_a_newsletter_in_another_language_has_no_words_in_it_until_somebody_publishes_some(begin):
    with begin() as session:
        newsletter = a_published_newsletter(session, OWN)
        assert change(session, newsletter, language="de").published == []
        assert wordings.current(session, newsletter.id, "de") is None
        assert wordings.current(session, newsletter.id, "en").text == OWN
        assert wording_publication.missing_languages(session, newsletter) == ["de"]
        german = wording_publication.publish(session, PAGES, newsletter, text="Ich will den Brief.", **BY)
        assert (german.language, german.version) == ("de", 1)
        assert wording_publication.missing_languages(session, newsletter) == []
