"""Links: signed, for one purpose, short, and valid while their key is in the keyring."""

import string
from datetime import timedelta
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from newsletter.errors import LinkUnreadable
from newsletter.keys import Keyring, from_base64url, to_base64url
from newsletter.links import FRESH_LIFETIME, IDS, PATHS, Links, Purpose, fresh_until, is_fresh, minute_of
from tests.clock import NOON

NEW, OLD = ("k2", "n" * 40), ("k1", "o" * 40)
BASE = "https://letters.example.org"
ALPHABET = string.ascii_letters + string.digits + "-_"
LINKS = Links(Keyring([NEW, OLD]), BASE)

purposes = st.sampled_from(Purpose)


def ids_of(purpose: Purpose):
    number = st.integers(min_value=0, max_value=2**63 - 1)
    return st.sampled_from(IDS[purpose]).flatmap(lambda count: st.lists(number, min_size=count, max_size=count))


made_for = purposes.flatmap(lambda purpose: st.tuples(st.just(purpose), ids_of(purpose)))


def unreadable(links: Links, token: str, purpose: Purpose) -> bool:
    with pytest.raises(LinkUnreadable):
        links.read(token, purpose)
    return True


@given(made_for, st.sampled_from(["k1", "k2"]))
def test_a_token_can_be_read(made, key):
    purpose, numbers = made
    assert LINKS.read(LINKS.token(purpose, *numbers, key=key), purpose) == tuple(numbers)


@given(made_for)
def test_the_same_ids_give_the_same_token_in_the_url_of_its_purpose(made):
    purpose, numbers = made
    token = LINKS.token(purpose, *numbers)
    assert LINKS.token(purpose, *numbers, key="k2") == token
    assert LINKS.url(purpose, *numbers) == f"{BASE}/{PATHS[purpose]}/{token}"
    assert quote(token, safe="") == token


@given(made_for, st.data())
def test_a_token_with_a_changed_bit_is_refused(made, data):
    purpose, numbers = made
    key, _, rest = LINKS.token(purpose, *numbers).partition(".")
    signed = bytearray(from_base64url(rest))
    bit = data.draw(st.integers(0, len(signed) * 8 - 1))
    signed[bit // 8] ^= 1 << bit % 8
    assert unreadable(LINKS, f"{key}.{to_base64url(bytes(signed))}", purpose)


@given(made_for, st.data())
def test_a_token_with_a_changed_character_is_refused(made, data):
    purpose, numbers = made
    token = LINKS.token(purpose, *numbers)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("abcXYZ019-_.=é \x00\ud800"))
    assume(token[place] != other)
    assert unreadable(LINKS, token[:place] + other + token[place + 1 :], purpose)


@given(made_for, st.data())
def test_a_cut_token_is_refused(made, data):
    purpose, numbers = made
    token = LINKS.token(purpose, *numbers)
    assert unreadable(LINKS, token[: data.draw(st.integers(0, len(token) - 1))], purpose)
    assert unreadable(LINKS, token[data.draw(st.integers(1, len(token))) :], purpose)


@given(made_for, st.characters(exclude_characters=ALPHABET), st.text())
def test_whatever_begins_outside_the_alphabet_is_ignored_behind_a_token(made, first, more):
    purpose, numbers = made
    assert LINKS.read(LINKS.token(purpose, *numbers) + first + more, purpose) == tuple(numbers)


@pytest.mark.parametrize("marks", ["_", "__", "-", "--", "---", "_.", "_)"])
@given(made=made_for)
def test_marks_of_plain_text_are_ignored_behind_a_token(made, marks):
    purpose, numbers = made
    assert LINKS.read(LINKS.token(purpose, *numbers) + marks, purpose) == tuple(numbers)


@given(made_for, st.text(alphabet=string.ascii_letters + string.digits, min_size=1))
def test_letters_and_digits_behind_a_token_make_it_another_one(made, more):
    purpose, numbers = made
    assert unreadable(LINKS, LINKS.token(purpose, *numbers) + more, purpose)


@given(made_for, st.data())
def test_nothing_may_stand_within_a_token(made, data):
    purpose, numbers = made
    token = LINKS.token(purpose, *numbers)
    place = data.draw(st.integers(1, len(token) - 1))
    assert unreadable(LINKS, token[:place] + data.draw(st.text(min_size=1)) + token[place:], purpose)


@pytest.mark.parametrize("before", [" ", "\r\n", "<", "\u200b", "%20"])
def test_blanks_and_brackets_before_a_token_are_ignored(before):
    assert LINKS.read(before + LINKS.token(Purpose.PREFERENCES, 7), Purpose.PREFERENCES) == (7,)


@given(made_for, st.data())
def test_a_percent_encoded_token_can_be_read(made, data):
    purpose, numbers = made
    token = LINKS.token(purpose, *numbers)
    encoded = data.draw(st.sets(st.sampled_from(range(len(token)))))
    text = "".join(f"%{ord(char):02X}" if place in encoded else char for place, char in enumerate(token))
    assert LINKS.read(text, purpose) == LINKS.read(f"{text}%3E", purpose) == tuple(numbers)


@given(purposes, st.lists(st.integers(0, 2**70), min_size=1, max_size=5))
def test_our_own_token_with_ids_that_no_link_has_is_refused(purpose, numbers):
    assume(len(numbers) not in IDS[purpose] or max(numbers) >= 2**63)
    assert unreadable(LINKS, LINKS.token(purpose, *numbers), purpose)


@given(made_for, purposes)
def test_a_token_for_another_purpose_is_refused(made, used):
    purpose, numbers = made
    assume(purpose != used)
    assert unreadable(LINKS, LINKS.token(purpose, *numbers), used)


@given(made_for)
def test_a_token_made_with_another_key_of_the_same_id_is_refused(made):
    purpose, numbers = made
    foreign = Links(Keyring([("k2", "x" * 40), ("k3", "n" * 40)]), BASE)
    assert unreadable(LINKS, foreign.token(purpose, *numbers, key="k2"), purpose)
    assert unreadable(LINKS, foreign.token(purpose, *numbers, key="k3"), purpose)
    renamed = foreign.token(purpose, *numbers, key="k2").replace("k2.", "k1.")
    assert unreadable(LINKS, renamed, purpose)


@given(st.text())
def test_arbitrary_text_is_refused(token):
    for purpose in Purpose:
        assert unreadable(LINKS, token, purpose)
        assert unreadable(LINKS, f"k2.{token}", purpose)


@given(made_for)
def test_a_token_is_valid_while_its_key_is_in_the_keyring(made):
    purpose, numbers = made
    before, rotated, after = (Links(Keyring(keys), BASE) for keys in ([OLD], [NEW, OLD], [NEW]))
    token = before.token(purpose, *numbers)
    assert rotated.read(token, purpose) == tuple(numbers)
    assert rotated.token(purpose, *numbers) != token
    assert rotated.token(purpose, *numbers, key="k1") == token, "a repeated letter is the same bytes"
    assert unreadable(after, token, purpose)


@given(st.integers(1, 10**6), st.integers(1, 100), st.integers(1, 10**6), st.integers(0, 2**63 - 1))
def test_urls_are_short_enough_for_a_header_line(subscriber, newsletter, signup, nonce):
    assert len(BASE) == 27
    assert len(LINKS.url(Purpose.UNSUBSCRIBE, subscriber, newsletter)) < 70
    assert len(LINKS.url(Purpose.PREFERENCES, subscriber, newsletter)) < 80
    for purpose in (Purpose.CONFIRM, Purpose.NEVER):  # in the body only: one line of quoted-printable, or two
        assert len(LINKS.url(purpose, signup, nonce)) < 80


def test_a_token_contains_nothing_but_its_ids():
    token = LINKS.token(Purpose.UNSUBSCRIBE, 300, 2)
    assert from_base64url(token.removeprefix("k2."))[:-16] == b"\xac\x02\x02"


def test_only_links_for_operators_lead_to_the_origin_of_the_desk():
    links = Links(Keyring([NEW]), BASE, "https://desk.example.org")
    for purpose in Purpose:
        leads_to_the_desk = links.url(purpose, 1, 2).startswith("https://desk.example.org/desk/")
        assert leads_to_the_desk == (purpose is Purpose.OPERATOR_LINK)


def test_links_of_two_purposes_share_a_path_only_if_they_open_the_same_page():
    of_path = {path: [purpose for purpose in Purpose if PATHS[purpose] == path] for path in PATHS.values()}
    assert of_path.pop("preferences") == [Purpose.PREFERENCES, Purpose.FRESH_PREFERENCES]
    assert all(len(purposes) == 1 for purposes in of_path.values())


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_the_release_before_reads_the_subscriber_of_a_preferences_link_alone(subscriber, newsletter):
    """It took the bytes of a token up to the last that ends a number."""
    payload = from_base64url(LINKS.token(Purpose.PREFERENCES, subscriber, newsletter).removeprefix("k2."))[:-16]
    ends = [place for place, byte in enumerate(payload, start=1) if byte < 0x80]
    assert len(ends) == 1
    alone = from_base64url(LINKS.token(Purpose.PREFERENCES, subscriber).removeprefix("k2."))[:-16]
    assert payload[: ends[0]] == alone


@given(st.timedeltas(timedelta(minutes=-9), timedelta(hours=24)))
def test_a_fresh_link_works_for_hours_from_the_minute_of_its_letter_on(age):
    minute = minute_of(NOON)
    assert is_fresh(minute, now=NOON + age) == (age < FRESH_LIFETIME)
    assert fresh_until(minute) == NOON + FRESH_LIFETIME


@given(st.integers(0, 2**63 - 1))
def test_no_minute_of_our_own_token_is_too_large_to_judge(minute):
    assert is_fresh(minute, now=NOON) == (minute_of(NOON - FRESH_LIFETIME) < minute <= minute_of(NOON) + 10)
