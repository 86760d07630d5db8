"""Decoding: encodings, and the prolog that no XML parser may see."""

from time import process_time

import pytest

from newsletter.content.parsing.decoding import FeedUnreadable, decode, strip_prolog

FEED = "<rss><title>Grüße, Größe</title></rss>"


@pytest.mark.parametrize(
    "body",
    [
        FEED.encode(),
        FEED.encode("utf-8-sig"),
        FEED.encode("utf-16"),
        FEED.encode("utf-32"),
        ('<?xml version="1.0" encoding="utf-16"?>' + FEED).encode("utf-16-be"),
        ("<?xml version='1.0' encoding='ISO-8859-1'?>" + FEED).encode("latin-1"),
        ('<?xml version="1.0" encoding="made-up"?>' + FEED).encode(),
        ('<?xml version="1.0" encoding="punycode"?>' + FEED).encode(),
        ('<?xml version="1.0" encoding="us-ascii"?>' + FEED).encode(),
        FEED.encode("windows-1252"),
    ],
)
def test_the_encoding_is_detected(body):
    assert decode(body).endswith(FEED)


def test_the_http_charset_takes_precedence_over_the_xml_declaration():
    body = ('<?xml version="1.0" encoding="utf-8"?>' + FEED).encode("koi8-r", "ignore") + "мир".encode("koi8-r")
    assert decode(body, 'text/xml; charset="KOI8-R"').endswith("мир")
    assert decode("<rss>漢字</rss>".encode("gb18030"), "text/xml;charset=gb2312") == "<rss>漢字</rss>"


@pytest.mark.parametrize(
    "prolog",
    [
        "",
        '\ufeff\n <?xml version="1.0"?><!-- a <rss> --><?xml-stylesheet href="a.xsl"?>\n',
        '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/rss-0.91.dtd">',
    ],
)
def test_the_prolog_is_stripped(prolog):
    assert strip_prolog(prolog.removeprefix("\ufeff") + FEED) == FEED


BILLION_LAUGHS = (
    "<!DOCTYPE lolz ["
    + "".join(f'<!ENTITY lol{n + 1} "{f"&lol{n};" * 10}">' for n in range(9))
    + "]><rss><channel><title>&lol9;</title></channel></rss>"
)


@pytest.mark.parametrize(
    "document",
    [
        BILLION_LAUGHS,
        '<!DOCTYPE r [<!ENTITY a "' + "a" * 100_000 + '">]><rss>' + "&a;" * 100_000 + "</rss>",
        '<?xml version="1.0"?>\n<!doctype r\n[\n<!ENTITY x SYSTEM "file:///etc/passwd">]><rss>&x;</rss>',
        '<!DOCTYPE r [<!ENTITY % d SYSTEM "http://127.0.0.1/d.dtd"> %d;]><rss/>',
        '<!-- --><!DOCTYPE r SYSTEM "a>b" [<!ENTITY a "b">]><rss/>',
        '<!DOCTYPE r SYSTEM "a.dtd"><!DOCTYPE r [<!ENTITY a "b">]><rss/>',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32", "utf-16-le"])
def test_a_feed_that_declares_entities_is_refused_before_it_is_parsed(document, encoding):
    before = process_time()
    with pytest.raises(FeedUnreadable):
        strip_prolog(decode(document.encode(encoding)))
    assert process_time() - before < 0.5


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("", "neither XML nor"),
        ("Hello <b>world</b>", "neither XML nor"),
        ("<?xml", "neither XML nor"),
        ("<!--" * 100_000, "neither XML nor"),
        ("\x89PNG\r\n", "neither XML nor"),
        ("<!DOCTYPE html>\n<html><head>", "web page"),
        ("<HTML>", "web page"),
    ],
)
def test_a_document_that_is_no_feed_is_refused_with_the_reason(document, reason):
    with pytest.raises(FeedUnreadable, match=reason):
        strip_prolog(document)
