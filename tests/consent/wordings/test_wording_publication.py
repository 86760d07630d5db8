"""A newsletter's change publishes its consent wording anew where forms then read otherwise."""

import pytest

from newsletter import newsletters, templating
from newsletter.consent.wordings import proposed_words, wording_publication, wordings
from newsletter.consent.wordings.exhibits import Exhibit
from newsletter.consent.wordings.newsletter_changes import NewsletterChange
from newsletter.consent.wordings.wordings import Shown
from newsletter.doctor.checks import languages
from newsletter.errors import Malformed
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


def test_words_in_each_language_follow_a_change_and_say_what_they_still_name(begin):
    with begin() as session:
        newsletter = a_published_newsletter(session)
        wording_publication.publish(session, PAGES, newsletter, text="Ich will Example Press.", language="de", **BY)
        done = change(session, newsletter, publisher="Dawn Press")
        assert [(each.language, each.version) for each in done.published] == [("en", 2), ("de", 2)]
        assert done.still_named == {"de": ["publisher"]}
        assert "Dawn Press" in str(wordings.current(session, newsletter.id, "de").information)


def test_what_is_proposed_in_german_is_german_and_names_what_the_english_text_names(begin):
    with begin() as session:
        newsletter = newsletters.add(session, slug="morning", language="de", **FACTS, **BY)
        german = wording_publication.publish_proposed(session, PAGES, newsletter, **BY)
        assert (german.language, german.information["language"]) == ("de", "de")
        assert german.text != proposed_words.consent_text([newsletter], "en")
        for fact in FACTS.values():
            assert fact in german.text
        assert '<div lang="de"' in session.get_one(Exhibit, german.form_exhibit).body.decode()
        assert wording_publication.missing_languages(session, newsletter) == []


def test_published_words_are_on_one_line_and_keep_the_no_break_spaces_of_their_language(begin):
    with begin() as session:
        newsletter = a_published_newsletter(session, text=" Je demande\n la lettre «\u00a0Matin\u00a0» :\u202foui ")
        assert (
            wordings.current(session, newsletter.id, "en").text == "Je demande la lettre «\u00a0Matin\u00a0» :\u202foui"
        )
        french = wording_publication.publish_proposed(session, PAGES, newsletter, language="fr", **BY)
        assert f"«\u00a0{FACTS['name']}\u00a0»" in french.text


def test_a_language_without_a_catalogue_has_no_proposal_and_information_in_english(begin):
    with begin() as session:
        newsletter = newsletters.add(session, slug="morning", language="el", **FACTS, **BY)
        assert wording_publication.publish_proposed(session, PAGES, newsletter, **BY) is None
        assert wording_publication.missing_languages(session, newsletter) == ["el"]
        greek = wording_publication.publish(session, PAGES, newsletter, text="Θέλω.", **BY)
        assert (greek.language, greek.information["language"]) == ("el", "en")
        own = {"language": "el", "entries": [["Υπεύθυνος", "Example Press"]], "own": True}
        wording_publication.publish(session, PAGES, newsletter, text="Θέλω.", information=own, **BY)
        kept = wording_publication.publish(session, PAGES, newsletter, text="Μόνο αυτό.", **BY)
        assert kept.information == own, "new words keep the publisher's own information"


def test_the_english_default_that_a_release_before_stored_as_german_is_published_as_english(begin):
    """Nothing is translated by itself: the form is English, as it was, and German words are missing."""
    with begin() as session:
        newsletter = newsletters.add(session, slug="morning", language="de", **FACTS, **BY)
        text = proposed_words.consent_text([newsletter], "en")
        mistaken = wordings.publish(session, newsletter, Shown("de", text, None), form=b"form", confirm=b"page", **BY)
        for _ in range(2):
            wording_publication.publish_current(session, PAGES, **BY)
        assert [(each.language, each.version) for each in wordings.newest(session)] == [("de", 1), ("en", 1)]
        assert wordings.current(session, newsletter.id, "en").text == text
        assert mistaken.shown_language == "en"
        assert wording_publication.missing_languages(session, newsletter) == ["de"]
        says = [remark.says for remark in languages.words(session)]
        assert len(says) == 1
        assert "its form is English until you publish words in “de”" in says[0]


def test_a_publishers_own_german_words_stay_german_with_the_english_information_of_their_form(begin):
    with begin() as session:
        newsletter = newsletters.add(session, slug="morning", language="de", **FACTS, **BY)
        wordings.publish(session, newsletter, Shown("de", "Ich will.", None), form=b"form", confirm=b"page", **BY)
        wording_publication.publish_current(session, PAGES, **BY)
        current = wordings.current(session, newsletter.id, "de")
        assert (current.text, current.version, current.information["language"]) == ("Ich will.", 2, "en")


def test_an_upgrade_publishes_no_other_information_than_was_published(begin):
    """A later catalogue may propose other words: only an operator publishes them."""
    told = {"language": "en", "entries": [["Responsible", "Example Press, as an earlier catalogue said."]]}
    with begin() as session:
        newsletter = newsletters.add(session, slug="morning", **FACTS, **BY)
        earlier = wording_publication.publish(session, PAGES, newsletter, text=OWN, information=told, **BY)
        wording_publication.publish_current(session, PAGES, **BY)
        assert wordings.current(session, newsletter.id, "en").id == earlier.id
        done = change(session, newsletter, publisher="Dawn Press", description="Other words on the page.")
        assert wordings.current(session, newsletter.id, "en").information == told
        assert done.still_named == {"en": ["publisher"]}


def test_an_upgrade_publishes_the_information_that_forms_of_the_release_before_showed(begin):
    with begin() as session:
        newsletter = newsletters.add(session, slug="morning", **FACTS, **BY)
        text = proposed_words.consent_text([newsletter], "en")
        wordings.publish(session, newsletter, Shown("en", text, None), form=b"form", confirm=b"page", **BY)
        wording_publication.publish_current(session, PAGES, **BY)
        told = wordings.current(session, newsletter.id, "en").information
        assert ["Not measured", "Whether you open a letter, or what you press in it."] in told["entries"]
        assert told != proposed_words.information([newsletter], "en")
        change(session, newsletter, publisher="Dawn Press")
        assert "Dawn Press" in wordings.current(session, newsletter.id, "en").information["entries"][0][1]


def test_information_outlives_a_version_of_the_release_before(begin):
    """A process of that release may start once more during an upgrade, and publishes words without information."""
    with begin() as session:
        newsletter = newsletters.add(session, slug="morning", language="de", **FACTS, **BY)
        german = wording_publication.publish_proposed(session, PAGES, newsletter, **BY)
        wordings.publish(session, newsletter, Shown("de", german.text, None), form=b"form", confirm=b"page", **BY)
        wording_publication.publish_current(session, PAGES, **BY)
        current = wordings.current(session, newsletter.id, "de")
        assert (current.version, current.information) == (3, german.information)


def test_a_form_of_several_needs_one_publisher_and_follows_its_newsletters(begin):
    with begin() as session:
        morning, evening = (newsletters.add(session, slug=slug, **FACTS, **BY) for slug in ("morning", "evening"))
        other = newsletters.add(session, slug="other", **{**FACTS, "publisher": "Other Press"}, **BY)
        for offered in ([morning], [morning, morning], [morning, other]):
            with pytest.raises(Malformed):
                wording_publication.publish_several(session, PAGES, offered, language="en", **BY)
        several = wording_publication.publish_several(session, PAGES, [morning, evening], language="en", **BY)
        assert several.newsletters == [morning.id, evening.id]
        assert wordings.current(session, morning.id, "en") is None, "it is about those that are ticked"
        assert [each.newsletters for each in change(session, evening, name="Dusk").published] == [several.newsletters]
        apart = change(session, evening, publisher="Dusk Press")
        assert ([each.newsletters for each in apart.apart], apart.published) == ([several.newsletters], [])


def test_a_form_of_several_that_names_a_former_publisher_is_not_shown_again_by_itself(begin):
    with begin() as session:
        offered = [newsletters.add(session, slug=slug, **FACTS, **BY) for slug in ("morning", "evening")]
        wording_publication.publish_several(session, PAGES, offered, language="en", **BY)
        for each in offered:
            assert change(session, each, publisher="Dawn Press").published == [], "the words still name the former one"
        wording_publication.publish_current(session, PAGES, **BY)
        (several,) = wordings.newest(session)
        assert (several.version, wording_publication.is_shown(several, offered)) == (1, False)
        again = wording_publication.publish_several(session, PAGES, offered, language="en", **BY)
        assert wording_publication.is_shown(again, offered)
