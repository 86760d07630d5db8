"""Newsletters: their values, and which values are refused because letters could not use them."""

import pytest

from newsletter import audit_log, newsletter_fields, newsletters
from newsletter.audit_log import AuditEntry
from newsletter.errors import Malformed, NotFound
from tests.clock import NOON

FACTS = {
    "slug": "morning",
    "name": "The Morning Letter",
    "publisher": "Example Press",
    "sender": "letters@press.example",
    "postal_address": "1 Street, 00000 Town",
    "actor": "tests",
    "now": NOON,
}


def add(session, **values):
    return newsletters.add(session, **{**FACTS, **values})


def test_a_newsletter_has_a_list_id_and_replies_go_to_its_sender_by_default(begin, reading):
    with begin() as session:
        add(session, name="  The Morning Letter ", brand="#0F5C6E")
        add(session, slug="evening", sender="Letters@MÜLLER.example", reply_to="office@press.example", language="de")
    with reading() as session:
        morning, evening = newsletters.every(session)
        assert (morning.name, morning.brand, morning.created_at) == ("The Morning Letter", "#0f5c6e", NOON)
        assert (morning.reply_to, morning.list_id) == ("letters@press.example", "morning.press.example")
        assert (morning.language, morning.zone) == ("en", "UTC")
        assert evening.sender == "Letters@xn--mller-kva.example"
        assert evening.list_id == "evening.xn--mller-kva.example"
        assert evening.reply_to == "office@press.example"
        assert newsletters.named(session, "evening").id == evening.id
        assert newsletters.by_slug(session, "noon") is None
        with pytest.raises(NotFound, match="noon"):
            newsletters.named(session, "noon")


LONG = ".".join(["d" * 60] * 4)


INVALID = [
    *(("slug", value) for value in ("", "Morning", "a b", "-a", "a-", "ä", "a" * 41, "a/b", "a\n")),
    *((field, value) for field in ("name", "publisher", "postal_address") for value in ("", " ", "a\nb", "a\x00")),
    *(("sender", value) for value in ("", "letters", "a@b", "Ana <a@b.example>", "zoë@press.example")),
    *(("reply_to", value) for value in ("office", "büro@press.example")),
    *(("language", value) for value in ("", "klingon language", "e", "en_GB", "en\n")),
    *(("zone", value) for value in ("", "Mars/Olympus", "CET+1")),
    *(
        ("return_path_domain", value)
        for value in ("bounces", "a@b.example", "a b.example", "a\n.example", "-a.example")
    ),
    ("return_path_domain", "d." * 100 + "example"),  # no room for a local part
    *(
        ("site_url", value)
        for value in (
            "www.press.example",
            "/thanks",
            "//press.example",
            "javascript:alert(1)",
            "https://ana@press.example",
            "https://press.example\\@other.example",
            "https://press.example/\nx",
            "https://press.example:99999",
            f"https://press.example/{'a' * 500}",
        )
    ),
    ("signup_thanks_url", "/thanks"),
    ("confirmed_thanks_url", "/thanks"),
    *(("brand", value) for value in ("", "red", "#fff", "#0f5c6e;", "#0f5c6g")),
]


@pytest.mark.parametrize(("field", "value"), INVALID)
def test_an_invalid_value_is_refused_with_its_field(begin, reading, field, value):
    with begin() as session, pytest.raises(Malformed) as refused:
        add(session, **{field: value})
    assert refused.value.field == field
    with reading() as session:
        assert newsletters.every(session) == []


@pytest.mark.parametrize(("field", "value"), [bad for bad in INVALID if bad[0] != "slug" and bad != ("reply_to", "")])
def test_an_invalid_change_is_refused_with_its_field_and_changes_nothing(begin, reading, field, value):
    changes = {"description": "changed", field: value}
    with begin() as session:
        add(session)
    with pytest.raises(Malformed) as refused, begin() as session:
        newsletters.change(session, newsletters.named(session, "morning"), **changes, actor="tests", now=NOON)
    assert refused.value.field == field
    with reading() as session:
        assert newsletters.named(session, "morning").description == ""


def test_an_error_says_where_it_quotes_only_the_beginning_of_a_value(begin):
    for field, beginning in (("return_path_domain", ""), ("signup_thanks_url", "/"), ("sender", "")):
        value = f"{beginning}{'d' * 100}"
        with begin() as session, pytest.raises(Malformed, match=f"“{value[:80]}…”"):
            add(session, **{field: value})


def test_a_list_id_has_at_most_255_characters(begin):
    with begin() as session:
        assert len(add(session, slug="a" * 8, sender=f"a@{LONG}.eu").list_id) == 255
        with pytest.raises(Malformed, match="shorter"):
            add(session, slug="a" * 9, sender=f"a@{LONG}.eu")


def test_the_return_path_domain_can_be_changed_and_removed(begin, reading):
    who = {"actor": "tests", "now": NOON}
    with begin() as session:
        assert add(session).return_path_domain is None
        assert add(session, slug="noon", return_path_domain=" Bounces.Example.ORG ").return_path_domain == (
            "bounces.example.org"
        )
        newsletters.change(session, newsletters.named(session, "morning"), return_path_domain="rück.example", **who)
        newsletters.change(session, newsletters.named(session, "noon"), return_path_domain=None, **who)
        with pytest.raises(Malformed, match="domain"):
            newsletters.change(session, newsletters.named(session, "noon"), return_path_domain="nowhere", **who)
    with reading() as session:
        domains = {each.slug: each.return_path_domain for each in newsletters.every(session)}
        assert domains == {"morning": "xn--rck-hoa.example", "noon": None}
        last = audit_log.last(session, subject="newsletter:morning", verb="newsletter changed")
        assert last.fields == {
            "return_path_domain": "xn--rck-hoa.example",
            "return_path_domain_before": None,
        }


NEW = {
    "name": "The Dawn Letter",
    "description": "News at dawn.",
    "publisher": "Dawn Press",
    "sender": "dawn@press.example",
    "reply_to": "office@press.example",
    "postal_address": "2 Street, 00000 Town",
    "language": "de",
    "zone": "Europe/Berlin",
    "brand": "#123456",
    "return_path_domain": "bounces.press.example",
    "other_languages": ["ar", "fr"],
    "sender_name": "Ana of Dawn Press",
    "logo_sha256": "5" * 64,
    "site_url": "https://www.press.example",
    "signup_thanks_url": "https://www.press.example/almost-done",
    "confirmed_thanks_url": "https://www.press.example/welcome?from=letters#top",
    "sends_welcome": True,
    "welcome_has_issue": True,
}


def test_every_field_but_slug_list_id_and_age_can_be_changed():
    assert NEW.keys() | {"id", "slug", "list_id", "created_at"} == {*newsletters.Newsletter.__table__.columns.keys()}
    assert NEW.keys() == newsletter_fields.NewsletterFields.__annotations__.keys()


@pytest.mark.parametrize("field", NEW)
def test_one_field_changes_alone_and_the_audit_log_has_its_old_and_new_value(begin, field):
    with begin() as session:
        newsletter = add(session)
        before = {name: getattr(newsletter, name) for name in (*NEW, "slug", "list_id")}
        former = newsletters.change(session, newsletter, **{field: NEW[field]}, actor="cli:ana", now=NOON)
        session.expire_all()
        after = {name: getattr(newsletter, name) for name in before}
        assert after == {**before, field: NEW[field]}
        assert former == {field: before[field]}
        last = audit_log.last(session, subject="newsletter:morning", verb="newsletter changed")
        assert (last.actor, last.fields) == ("cli:ana", {field: NEW[field], f"{field}_before": before[field]})


def test_what_is_like_that_already_is_no_change(begin):
    with begin() as session:
        newsletter = add(session)
        same = {"name": " The Morning Letter ", "brand": "#0F5C6E", "reply_to": ""}
        assert newsletters.change(session, newsletter, **same, actor="tests", now=NOON) == {}
        assert audit_log.last(session, subject="newsletter:morning", verb="newsletter changed") is None


def test_replies_can_go_to_the_sender_again(begin):
    with begin() as session:
        newsletter = add(session, reply_to="office@press.example")
        newsletters.change(session, newsletter, sender="dawn@press.example", reply_to="", actor="tests", now=NOON)
        assert newsletter.reply_to == "dawn@press.example"
        assert newsletter.list_id == "morning.press.example"


def test_a_slug_is_used_once(begin):
    with begin() as session:
        add(session)
        with pytest.raises(Malformed, match="already"):
            add(session, sender="other@press.example")


def test_an_audit_entry_has_actor_verb_subject_and_fields(begin, reading):
    with begin() as session:
        audit_log.record(
            session,
            actor="cli:ana",
            verb="approved",
            subject="issue:1",
            newsletter_id=None,
            now=NOON,
            fields=["title"],
            n=2,
        )
    with reading() as session:
        (entry,) = session.query(AuditEntry)
        assert (entry.actor, entry.verb, entry.subject, entry.at) == ("cli:ana", "approved", "issue:1", NOON)
        assert entry.fields == {"fields": ["title"], "n": 2}
