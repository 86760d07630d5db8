"""The codec that a declared charset means (Encoding Standard, section 4.2)."""

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress

CHARSET = re.compile(r"""charset\s*=\s*["']?([\w:.-]+)""", re.IGNORECASE)
DECLARED = re.compile(r"""<\?xml\b[^>]*?\bencoding\s*=\s*["']([\w:.-]+)["']""")
HEAD = 4000  # bytes in which the XML declaration is looked for: a server's warnings may stand before it

# The codecs that the Web has, and what Python calls the charsets that they are used for: a label such as latin1 means
# the larger charset in use under that name. UTF-16 is known by its bytes alone, and UTF-7 is no charset of the Web.
KNOWN_TO_PYTHON = {
    **{f"cp{number}": f"cp{number}" for number in (866, 1250, 1251, 1253, 1255, 1256, 1257, 1258)},
    **{f"iso8859-{part}": f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    **{name: name for name in ("utf-8", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "euc_jp", "iso2022_jp")},
    "cp1252": "cp1252 ascii iso8859-1",
    "cp1254": "cp1254 iso8859-9",
    "cp874": "cp874 tis-620 iso8859-11",
    "cp932": "cp932 shift_jis",
    "cp949": "cp949 euc_kr",
    "gb18030": "gb18030 gb2312 gbk",
    "big5hkscs": "big5hkscs big5 cp950",
}
# Labels of the standard that Python does not know.
UNKNOWN_TO_PYTHON = {
    **{f"cp{number}": f"x-cp{number}" for number in (1250, 1251, 1253, 1254, 1255, 1256, 1257, 1258)},
    "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8",
    "cp874": "dos-874 windows-874",
    "cp932": "windows-31j x-sjis",
    "cp949": "windows-949 ks_c_5601-1989 ksc_5601 csksc56011987 cseuckr iso-ir-149",
    "cp1252": "x-cp1252 iso88591",
    "gb18030": "x-gbk csgb2312 gb_2312 gb_2312-80",
    "big5hkscs": "cn-big5 x-x-big5",
    "euc_jp": "x-euc-jp cseucpkdfmtjapanese",
    "iso8859-2": "iso88592",
    "iso8859-6": "csiso88596e csiso88596i iso-8859-6-e iso-8859-6-i",
    "iso8859-7": "sun_eu_greek",
    "iso8859-8": "csiso88598e csiso88598i iso-8859-8-e iso-8859-8-i logical visual",
    "iso8859-15": "csisolatin9",
    "koi8-r": "koi koi8",
    "koi8-u": "koi8-ru",
    "mac-roman": "csmacintosh mac x-mac-roman",
    "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian",
}
CODECS = {name: codec for codec, names in KNOWN_TO_PYTHON.items() for name in names.split()}
LABELS = {label: codec for codec, labels in UNKNOWN_TO_PYTHON.items() for label in labels.split()}
OF_SEVERAL_BYTES = {"cp932", "euc_jp", "iso2022_jp", "gb18030", "big5hkscs", "cp949"}


def declared(body: bytes, content_type: str) -> Iterator[str]:
    """Yield the codecs that the HTTP header and then the XML declaration name, as far as they are charsets."""
    for label in (CHARSET.search(content_type), DECLARED.search(body[:HEAD].decode("ascii", "replace"))):
        if label and (codec := codec_of(label[1])):
            yield codec


def codec_of(label: str) -> str | None:
    """Return Python's codec for a charset's label; None for a label that browsers ignore, and for UTF-16."""
    label = label.lower()
    with suppress(LookupError, ValueError):
        return LABELS.get(label) or CODECS.get(codecs.lookup(label).name)
    return None
