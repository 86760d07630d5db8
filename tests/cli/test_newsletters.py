"""`newsletter newsletters change` says what has changed, and what else the operator should know."""

import json

import pytest

from newsletter import newsletters
from newsletter.consent.wordings import wordings

ADD = ("--name", "Morning", "--publisher", "The Press", "--sender", "a@press.example", "--postal-address", "1 Street")


@pytest.fixture
def morning(newsletter) -> None:
    assert newsletter("newsletters", "add", "morning", *ADD).exit_code == 0


def test_changes_are_told_with_the_values_before(newsletter, morning, database):
    done = newsletter("newsletters", "change", "morning", "--publisher", "Dawn Press", "--description", "News.")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "publisher: Dawn Press (before: The Press)",
        "description: News. (before: none)",
        "Version 2 of the consent wording is published with it.",
    ]
    with database.reading() as session:
        changed = newsletters.named(session, "morning")
        assert (changed.publisher, changed.description) == ("Dawn Press", "News.")
        assert "Dawn Press" in wordings.current(session, changed.id, "en").text


def test_changes_are_given_as_json(newsletter, morning):
    words = ("--sender", "b@press.example", "--return-path-domain", "bounces.press.example", "--json")
    assert json.loads(newsletter("newsletters", "change", "morning", *words).stdout) == {
        "slug": "morning",
        "sender": "b@press.example",
        "return_path_domain": "bounces.press.example",
        "changed": ["return_path_domain", "sender"],
        "wording_version": None,
        "wording_versions": {},
        "still_named_by_wording": [],
        "languages_without_words": [],
    }


def test_a_new_sender_leaves_replies_where_they_go_and_says_so(newsletter, morning):
    done = newsletter("newsletters", "change", "morning", "--sender", "b@press.example")
    assert "Replies still go to a@press.example. To change that, too: --reply-to" in done.stdout
    assert "before: a@" in newsletter("newsletters", "change", "morning", "--reply-to", "").stdout


def test_a_wording_of_ones_own_that_names_the_former_publisher_is_told(newsletter, morning):
    newsletter("newsletters", "wording", "morning", "I want the letter of The Press.")
    done = newsletter("newsletters", "change", "morning", "--publisher", "Dawn Press")
    assert "still name “The Press”" in done.stdout
    assert "newsletter newsletters wording morning TEXT" in done.stdout


def test_what_is_like_that_already_changes_nothing(newsletter, morning):
    done = newsletter("newsletters", "change", "morning", "--name", "Morning")
    assert (done.exit_code, done.stdout) == (0, "“morning” is like that already.\n")


def test_a_change_of_nothing_is_a_usage_error_and_a_bad_value_is_refused(newsletter, failed, morning):
    assert newsletter("newsletters", "change", "morning").exit_code == 2
    code, message = failed("newsletters", "change", "morning", "--zone", "Mars/Olympus")
    assert code == 1
    assert message.startswith("--zone: ")


def test_languages_are_told_with_the_commands_that_are_left_to_do(newsletter, morning):
    more = newsletter("newsletters", "change", "morning", "--other-languages", "DE,el,de").stdout
    assert "other-languages: de, el (before: none)" in more
    assert "newsletter newsletters proposal morning --language de" in more
    assert "newsletter newsletters wording morning --language de" in more
    assert "newsletter newsletters wording morning TEXT --language el --information FILE" in more, "no proposal to read"
    french = newsletter("newsletters", "wording", "morning", "--language", "fr").stdout
    assert "newsletter newsletters change morning --other-languages de,el,fr" in french
    fewer = newsletter("newsletters", "change", "morning", "--language", "de", "--other-languages", "").stdout
    assert "no new sign-ups in “en, el”; its readers keep their language" in fewer
    assert "newsletter newsletters change morning --other-languages en,el" in fewer


def test_new_information_leaves_the_published_words_as_they_are(newsletter, morning, database, tmp_path):
    newsletter("newsletters", "wording", "morning", "Ich will.", "--language", "DE")
    (tmp_path / "told.txt").write_text("Verantwortlich\nThe Press\n", "utf-8")
    newsletter("newsletters", "wording", "morning", "--language", "de", "--information", str(tmp_path / "told.txt"))
    with database.reading() as session:
        german = wordings.current(session, newsletters.named(session, "morning").id, "de")
        assert german.text == "Ich will."
        assert german.information["entries"] == [["Verantwortlich", "The Press"]]
