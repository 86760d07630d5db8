"""Guess the codec of bytes that declare no charset, or a wrong one."""

import re
from collections.abc import Collection, Sequence

from charset_normalizer import from_bytes

WESTERN = "cp1252"
TURKISH = "cp1254"
CENTRAL_EUROPEAN = ("cp1250", "iso8859_2")
CYRILLIC = ("cp1251", "koi8_u")
LATIN = (WESTERN, *CENTRAL_EUROPEAN, TURKISH)
CANDIDATES = (*LATIN, *CYRILLIC, "cp1253", "cp1255", "cp1256", "cp874", "cp932", "euc_jp", "gb18030", "big5", "cp949")
LANGUAGES = {
    CENTRAL_EUROPEAN: "cs hu pl ro sk sl hr bs sq",
    CYRILLIC: "ru uk be bg mk kk",
    ("cp1257",): "lt lv et",
    ("cp1253",): "el",
    (TURKISH,): "tr",
    ("cp1255",): "he",
    ("cp1256",): "ar fa",
    ("cp874",): "th",
    ("cp932", "euc_jp"): "ja",
    ("cp949",): "ko",
    ("gb18030", "big5"): "zh",
}
BY_LANGUAGE = {language: codecs for codecs, languages in LANGUAGES.items() for language in languages.split()}
LANGUAGE = re.compile(rb"<(?:\w+:)?language>\s*([A-Za-z]{2})\b")
XML_LANG = re.compile(rb"\bxml:lang\s*=\s*[\"']([A-Za-z]{2})\b")
# ISO 8859-2 has no characters where windows-1250 has most of its letters, and letters where that mostly has signs.
NOT_ISO8859_2 = re.compile(rb"[\x80-\x9f]")
NOT_CP1250 = re.compile(rb"(?<=[A-Za-z])[\xb1\xb6\xb9\xbc\xbe]|[\xa1\xa6\xa9\xac\xae](?=[a-z])")
# Within a word, these are letters of Central Europe, and signs or letters of no Western language in windows-1252.
NOT_WESTERN = re.compile(rb"[A-Za-z][\x9a\x9d\x9e\xb1\xb3\xb6\xb9\xbc\xbe\xbf][a-z]")
HIRAGANA = re.compile(rb"\xa4[\xa1-\xf3]")  # of EUC-JP; rare characters in the charsets of Chinese and Korean
MAX_BYTES_FOR_A_HIRAGANA = 10
MAX_FAULTS = 2
MARKUP = re.compile(rb"<[^<>]*>|[\r\n]+")
MAX_MARKUP = 500_000  # bytes
MAX_SAMPLE = 16_000  # bytes of text; a guess takes some milliseconds


def detect(body: bytes) -> str:
    """Return the codec whose text looks most like a language, like the feed's own if it names it; else windows-1252."""
    sample = _sample(body)
    language = LANGUAGE.search(body, 0, MAX_MARKUP) or XML_LANG.search(body, 0, MAX_MARKUP)
    likely = BY_LANGUAGE.get(language[1].decode().lower(), ()) if language else ()
    if _is_euc_jp(sample):
        return "euc_jp"
    codec = _best(sample, likely) or _best(sample, CANDIDATES) or WESTERN
    if codec not in CENTRAL_EUROPEAN:
        return codec
    return "iso8859_2" if NOT_CP1250.search(sample) and not NOT_ISO8859_2.search(sample) else "cp1250"


def likelier(body: bytes, named: Sequence[str]) -> list[str]:
    """Return the codecs that the header and the document name, the one that counts first.

    The header counts, except for the windows-1252 that servers send by default for documents that they do not know.
    """
    if len(named) < 2 or named[0] != WESTERN or named[1] in (WESTERN, "utf-8"):
        return list(named)
    best = _best(_sample(body), named)
    return sorted(named, key=lambda codec: codec.replace("-", "_") != best)  # which charset-normalizer writes so


def _sample(body: bytes) -> bytes:
    chunks = (chunk for chunk in MARKUP.split(body[:MAX_MARKUP]) if not chunk.isascii())
    return b" ".join(chunks)[:MAX_SAMPLE]


def _is_euc_jp(sample: bytes) -> bool:
    """Return whether the sample is EUC-JP: charset-normalizer takes short ones for Korean."""
    is_full_of_hiragana = len(HIRAGANA.findall(sample)) > len(sample) // MAX_BYTES_FOR_A_HIRAGANA
    return is_full_of_hiragana and sample.decode("euc_jp", "replace").count("\ufffd") <= MAX_FAULTS


def _best(sample: bytes, candidates: Collection[str]) -> str | None:
    if NOT_WESTERN.search(sample):
        candidates = [codec for codec in candidates if codec not in {WESTERN, TURKISH}]
    best = from_bytes(sample, cp_isolation=list(candidates)).best() if candidates else None
    if best is None:
        return None
    if best.encoding in LATIN and WESTERN in candidates:
        # Most letters of these charsets have the same places, so windows-1252 must be beaten clearly.
        western = from_bytes(sample, cp_isolation=[WESTERN]).best()
        if western and western.percent_coherence >= best.percent_coherence:
            return WESTERN
    return best.encoding
