# ruff: noqa: RUF001 - texts of many languages
"""Decoding: the charset that a document has, whatever it declares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.parsing.documents.charsets import codec_of
from newsletter.content.parsing.documents.decoding import decode

FEED = "<rss><title>Grüße, Größe</title></rss>"
# A sentence of a language, and the charsets in which its feeds come.
SENTENCES = {
    "ru": ("Сегодня в городе обсудили новый парк и дороги для всех жителей.", ["windows-1251", "koi8-r"]),
    "uk": ("Сьогодні у місті обговорили новий парк і дороги для всіх мешканців.", ["windows-1251", "koi8-u"]),
    "el": ("Σήμερα στην πόλη έγινε μια μεγάλη συνάντηση για το νέο πάρκο.", ["windows-1253"]),
    "ja": ("今日、町で集会が開かれ、新しい公園と道路について話し合いました。", ["shift_jis", "euc-jp"]),
    "zh": ("今天城里举行了一次大型居民会议，讨论了新公园和道路的建设问题。", ["gb2312", "gbk", "gb18030"]),
    "zh-TW": ("今天市民在會議中討論了新公園與道路的建設問題，不分日月都有人參加。", ["big5"]),
    "ko": ("오늘 도시에서 주민들의 큰 모임이 열려 새 공원에 대해 논의했습니다.", ["euc-kr"]),
    "tr": ("Bugün şehirde yeni park ve yollar için büyük bir toplantı yapıldı, ışıklar değişti.", ["windows-1254"]),
    "he": ("היום התקיימה בעיר פגישה גדולה של תושבים שבה דנו בפארק החדש.", ["windows-1255"]),
    "ar": ("اليوم عقد في المدينة اجتماع كبير للسكان ناقشوا فيه الحديقة الجديدة.", ["windows-1256"]),
    "th": ("วันนี้มีการประชุมใหญ่ของชาวเมืองเพื่อหารือเรื่องสวนสาธารณะ", ["tis-620"]),
    "pl": ("Dziś w mieście odbyło się duże spotkanie, na którym omówiono ścieżki.", ["windows-1250", "iso-8859-2"]),
    "cs": ("Dnes se ve městě řešil nový park a příští žluté lavičky.", ["windows-1250", "iso-8859-2"]),
    "de": ("Heute fand in der Stadt ein großes Treffen über schöne Gärten statt.", ["windows-1252", "iso-8859-15"]),
    "fr": ("Aujourd’hui, une réunion d’habitants a été organisée à l’école.", ["windows-1252"]),
    "es": ("Hoy se celebró en la ciudad una reunión de vecinos: los niños y el año próximo.", ["windows-1252"]),
    "da": ("I dag blev der holdt et stort møde i byen, hvor borgerne talte om vejene på øen.", ["windows-1252"]),
}
WRITTEN = [(sentence, charset) for sentence, charsets in SENTENCES.values() for charset in charsets]


def xml(text: str, *, charset: str = "", language: str = "") -> str:
    declaration = f'<?xml version="1.0" encoding="{charset}"?>' if charset else '<?xml version="1.0"?>'
    head = f"<language>{language}</language>" if language else ""
    return f"{declaration}<rss><channel>{head}<item><title>{text}</title></item></channel></rss>"


@pytest.mark.parametrize(
    "body",
    [
        FEED.encode(),
        FEED.encode("utf-8-sig"),
        b"\xef\xbb\xbf" + FEED.encode("utf-8-sig"),
        FEED.encode("utf-16"),
        b"\xff\xfe" + FEED.encode(),
        FEED.encode("utf-32"),
        FEED.encode("utf-16-le"),
        FEED.encode("utf-32-be"),
        ("\n" + FEED).encode("utf-16-be"),
        ('<?xml version="1.0" encoding="utf-16"?>' + FEED).encode("utf-16-be"),
        ('<?xml version="1.0" encoding="utf-16"?>' + FEED).encode(),
        ("<?xml version='1.0' encoding='ISO-8859-1'?>" + FEED).encode("latin-1"),
        ('<?xml version="1.0" encoding="made-up"?>' + FEED).encode(),
        ('<?xml version="1.0" encoding="punycode"?>' + FEED).encode(),
        ('<?xml version="1.0" encoding="us-ascii"?>' + FEED).encode(),
        FEED.encode("windows-1252"),
        FEED.encode() + "ü".encode()[:1],
    ],
)
def test_the_encoding_is_detected(body):
    assert decode(body).endswith(FEED)


@pytest.mark.parametrize(("sentence", "charset"), WRITTEN)
def test_a_declared_charset_counts(sentence, charset):
    assert decode(xml(sentence, charset=charset).encode(charset)) == xml(sentence, charset=charset)
    assert decode(xml(sentence).encode(charset), f'text/xml; charset="{charset.upper()}"') == xml(sentence)


@pytest.mark.parametrize(("sentence", "charset"), WRITTEN)
def test_utf_8_is_known_whatever_is_declared(sentence, charset):
    document = xml(sentence, charset=charset)
    assert decode(document.encode()) == document
    assert decode(document.encode(), f"text/xml; charset={charset}") == document


@pytest.mark.parametrize("language", SENTENCES)
def test_the_feed_s_language_tells_the_charset_that_it_does_not_declare(language):
    sentence, charsets = SENTENCES[language]
    for charset in charsets:
        assert decode(xml(sentence, language=language).encode(charset)) == xml(sentence, language=language)
        says_utf8 = xml(sentence, language=language, charset="utf-8")
        assert decode(says_utf8.encode(charset), "application/rss+xml; charset=utf-8") == says_utf8


@pytest.mark.parametrize(("sentence", "charset"), WRITTEN)
def test_a_charset_that_nothing_tells_is_guessed_from_the_text(sentence, charset):
    assert decode(xml(sentence).encode(charset)) == xml(sentence)


def test_the_header_takes_precedence_over_the_declaration():
    body = xml("мир", charset="windows-1251").encode("koi8-r")
    assert "мир" in decode(body, "text/xml; charset=koi8-r")
    assert "мир" not in decode(body)


@pytest.mark.parametrize(("sentence", "charset"), WRITTEN)
def test_a_header_that_servers_send_by_default_yields_to_a_declaration_that_fits(sentence, charset):
    document = xml(sentence, charset=charset)
    assert decode(document.encode(charset), "text/xml; charset=ISO-8859-1") == document


def test_a_declaration_that_does_not_fit_yields_to_the_header():
    document = xml(SENTENCES["fr"][0], charset="windows-1251")
    assert decode(document.encode("windows-1252"), "text/xml; charset=windows-1252") == document


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("Latin1", "cp1252"),
        ("ISO-8859-9", "cp1254"),
        ("windows-874", "cp874"),
        ("ks_c_5601-1987", "cp949"),
        ("x-sjis", "cp932"),
        ("big5", "big5hkscs"),
        ("unicode-1-1-utf-8", "utf-8"),
        ("utf-7", None),
        ("utf-16", None),
        ("base64", None),
        ("hz-gb-2312", None),
        ("", None),
    ],
)
def test_a_label_means_what_it_means_to_browsers(label, codec):
    assert codec_of(label) == codec


def test_a_fault_costs_one_character():
    text = "Grüße aus Köln, Çankaya und Łódź"
    for at in range(0, 20, 5):
        body = text[:at].encode() + b"\xff" + text[at:].encode()
        assert decode(body) == text[:at] + "\ufffd" + text[at:]
        assert decode(body, "text/xml; charset=iso-8859-1") == text[:at] + "\ufffd" + text[at:]


def test_letters_of_windows_1252_within_utf_8_are_read():
    body = "Grüße aus Köln, Çankaya und Łódź: ".encode() + "Café, naïve – “Straße” für alle".encode("windows-1252")
    assert decode(body) == "Grüße aus Köln, Çankaya und Łódź: Café, naïve – “Straße” für alle"


@pytest.mark.parametrize("cut", [b"\xc3", b"\xe2\x80", b"\xf0\x9f\x98"])
def test_a_character_that_was_cut_is_not_read_as_a_letter(cut):
    assert decode("Grüße aus Köln ".encode() + cut + b"... (more)") == "Grüße aus Köln \ufffd... (more)"


def test_text_that_was_encoded_twice_stays_as_it_is():
    twice = "Grüße".encode().decode("latin-1")
    assert decode(twice.encode()) == twice


def test_utf_7_is_never_decoded():
    assert "<script>" not in decode(b"+ADw-script+AD4-", "text/xml; charset=utf-7")


@given(st.binary(max_size=400), st.text(max_size=20))
def test_any_bytes_become_text(body, charset):
    decode(body, f"text/xml; charset={charset}").encode()


@given(st.sampled_from([*WRITTEN, (FEED, "utf-8"), (FEED, "utf-16")]), st.binary(min_size=1, max_size=3), st.data())
def test_a_few_wrong_bytes_spoil_no_more_than_what_they_touch(written, noise, data):
    sentence, charset = written
    body = xml(sentence).encode(charset)
    place = data.draw(st.integers(0, len(body)))
    text = decode(body[:place] + noise + body[place:], f"text/xml; charset={charset}")
    assert "<" in text
    text.encode()
