"""Shortening: a text ends with a sentence or a word, and an abbreviation ends no sentence."""
# ruff: noqa: RUF001 - the quotation marks and dashes of many languages

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.parsing.texts import reading_length, sentences
from newsletter.content.parsing.texts.sanitizing import one_line
from newsletter.content.parsing.texts.shortening import excerpt, excerpt_in_words, first_sentence

texts = st.text(st.sampled_from("abÄ ,.…!?漢。é\u0301👍🏽\u200dम।\u061f()\"'") | st.characters(), max_size=80).map(
    one_line
)


@given(texts, st.integers(2, 60))
def test_an_excerpt_is_a_prefix_within_the_limit(text, limit):
    short = excerpt(text, limit)
    assert len(short) <= limit
    assert text.startswith(short) or (short.endswith("…") and text.startswith(short[:-1]))


@given(texts, st.integers(2, 60))
def test_an_excerpt_of_words_ends_with_a_sentence_or_a_whole_word(text, limit):
    short = excerpt(text, limit)
    if short.endswith("…") and not text.startswith(short) and " " in short:
        kept = short[:-1]
        rest = text[len(kept) :]
        assert rest.startswith((" ", *",;:.-–—…")) or len(kept) <= limit // 2 or " " not in text[limit // 2 + 1 : limit]


@given(texts)
def test_sentences_end_within_the_text_and_in_order(text):
    ends = list(sentences.ends(text, len(text)))
    assert ends == sorted(set(ends))
    assert all(0 < end <= len(text) for end in ends)


def parts(text: str) -> list[str]:
    ends = [0, *sentences.ends(text, len(text))]
    return [text[start:end].strip() for start, end in zip(ends, [*ends[1:], len(text)], strict=True) if text[start:end]]


@pytest.mark.parametrize(
    "text",
    [
        "We met Dr. Smith and Mrs. Jones of Acme Inc. today.",
        "It costs 3.5 million, i.e. too much, e.g. for J. R. Smith.",
        "The U.S. team plays No. 5 on Sat. 14 March in St. Louis.",
        "Am 3. Mai kam z.B. Prof. Müller, z. B. mit ca. 40 Gästen.",
        "Das 19. Jh. begann mit Ludwig XIV. nicht; vgl. Abs. 2 u. a.",
        "Mme. Dupont et M. Durand, av. J.-C., p. 12.",
        "El Sr. García y la Dra. Ruiz viven en la Av. Central.",
        "Il dott. Rossi e la sig.ra Bianchi, ecc. ecc., sono qui.",
        "Dhr. Jansen en mevr. de Vries, o.a. bijv. uit Gent.",
        "Ul. Nowa, np. tzw. inż. Kowalski, tj. św. Jan.",
        "O Sr. Silva e a Dra. Costa, pág. 3.",
        "“Really?” she asked.",
        "He paid 100 Mio. Euro.",
    ],
)
def test_an_abbreviation_ends_no_sentence(text):
    assert parts(text) == [text]


@pytest.mark.parametrize(
    "text",
    [
        ["It opened in 2026.", "Nobody signed!", "Why?", "“No idea.”", "Then…", "All left."],
        ["Er kam um acht.", "Dann ging er (schnell).", "»Gut!«", "Ende."],
        ["He said no.", "The sun set.", "We love modern art.", "The end."],
        ["今日は雨です。", "本当に？", "「はい！」", "終わり。"],
        ["هل وصلت؟", "نعم وصلت."],
        ["यह सच है।", "वह गया।"],
        ["We like it.", "iOS is late.", "eBay too."],
        ["casual writers.", "skip capitals."],
    ],
    ids=lambda text: text[0],
)
def test_a_sentence_ends_with_its_mark(text):
    assert [part.replace(" ", "") for part in parts(" ".join(text))] == [part.replace(" ", "") for part in text]


def test_an_excerpt_is_not_cut_after_an_abbreviation():
    assert excerpt("The prize goes to Dr. Ann Smith of the town library", 22) == "The prize goes to Dr…"
    assert excerpt("Die Brücke öffnet am 3. Mai für alle aus der Stadt", 24) == "Die Brücke öffnet am 3…"


def test_an_emoji_and_an_accented_letter_stay_whole():
    for text in ("漢字" * 4 + "👩\u200d🚀" * 5, "漢字" * 4 + "👍🏽" * 5, "漢字" * 4 + "e\u0301" * 9):
        for limit in range(9, 16):
            rest = text[len(excerpt(text, limit)) - 1 :]
            assert not unicodedata.category(rest[0]).startswith("M")
            assert rest[0] not in "\u200d🏽"


def test_the_first_sentence_is_more_than_an_exclamation():
    assert first_sentence("Oh. The bridge opens. Nobody signed.", 80, cut=60) == "Oh. The bridge opens."
    assert first_sentence("Only a note, without a title. It says more.", 80, cut=60) == "Only a note, without a title."
    long = "A sentence that is longer than the limit allows it to be."
    assert first_sentence(long, 50, cut=30) == "A sentence that is longer…"
    assert first_sentence(long, 60, cut=30) == long
    assert first_sentence(long[:-1], 60, cut=30) == long[:-1], "a note may do without a full stop"


@given(texts, st.integers(2, 40))
def test_an_excerpt_in_words_is_a_prefix_within_the_limit(text, most):
    short = excerpt_in_words(text, most, least=most // 2 + 1)
    assert text.startswith(short) or (short.endswith("…") and text.startswith(short[:-1]))
    assert reading_length.words(short.removesuffix("…")) <= most
    assert short == text or reading_length.words(text) > most


def test_an_excerpt_has_as_many_words_where_a_script_writes_no_spaces():
    assert excerpt_in_words("It rains. " * 30, 35, least=20) == ("It rains. " * 17).strip()
    assert excerpt_in_words("word " * 50, 35, least=20) == ("word " * 35).strip() + "…"
    assert len(excerpt_in_words("雨が降っている" * 30, 35, least=20)) == 71
    assert excerpt_in_words("雨が降っている。" * 30, 35, least=20) == "雨が降っている。" * 8
    assert 150 < len(excerpt_in_words("ฝนกำลังตก" * 60, 35, least=20)) < 180
    assert len(excerpt_in_words("x" * 60 + " y" * 60, 35, least=20).split()) == 33, "long words take longer to read"


def test_an_excerpt_ends_with_a_whole_sentence_if_it_fills_half_the_limit():
    assert excerpt("The bridge opens. Nobody signed for 3.5 years.", 30) == "The bridge opens."
    assert excerpt("Oh. The bridge nobody would sign for", 20) == "Oh. The bridge…"
    assert excerpt("建国周年纪念。华表和平鸽", 8) == "建国周年纪念。"


def test_an_excerpt_otherwise_ends_with_a_whole_word():
    assert excerpt("The bridge nobody would sign for", 20) == "The bridge nobody…"
    assert excerpt("建国周年纪念华表和平鸽", 8) == "建国周年纪念华…"
