"""The prolog: no XML parser may see it, and whatever else stands before the root element is skipped."""

from time import process_time

import pytest

from newsletter.content.parsing.documents.decoding import FeedUnreadable
from newsletter.content.parsing.documents.prolog import strip_prolog
from newsletter.content.parsing.parser import parse

FEED = "<rss version='2.0'><channel><title>News</title><item><title>Fish{}now</title></item></channel></rss>"
PLAIN = FEED.format(" ")


@pytest.mark.parametrize(
    "prolog",
    [
        "",
        '\ufeff\n <?xml version="1.0"?><!-- a <rss> --><?xml-stylesheet href="a.xsl"?>\n',
        '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/rss-0.91.dtd">',
        '<?xml version="1.0"?>\n<!doctype rss\n[\n<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE rss [<!ENTITY % d SYSTEM "http://127.0.0.1/d.dtd"> %d;]>',
        '<!DOCTYPE rss [<!ENTITY a "]><rss>"> <!-- ]> isn\'t the end --> <?a ]> ?> ] >',
        '<!DOCTYPE rss SYSTEM "a>b[" [<!ENTITY a "b">]>',
        '<!DOCTYPE rss SYSTEM "a.dtd"><!DOCTYPE rss [<!ENTITY a "b">]>',
        "<!DOCTYPE rss [<!ENTITY nbsp '&#160;'>",
    ],
)
def test_a_document_type_is_removed_with_all_that_it_declares(prolog):
    assert strip_prolog(prolog + PLAIN) == PLAIN


@pytest.mark.parametrize(
    "junk",
    [
        "\n\n   ",
        "\ufeff\ufeff",
        '<br />\n<b>Warning</b>: Undefined key in <b>/feed.php</b> on line <b>7</b><br />\n<?xml version="1.0"?>',
        'Notice: something\n<?xml version="1.0"?>',
        '<?xml version="1.0" encoding="utf-8">',
        '<?xml version="1.0"?><?xml version="1.0"?>',
        "<script>track()</script>",
        "<!-- cached <!-- twice -->",
    ],
)
def test_what_a_server_writes_before_the_feed_is_skipped(junk):
    assert strip_prolog(junk + PLAIN) == PLAIN


BILLION_LAUGHS = "".join(f'<!ENTITY lol{n + 1} "{f"&lol{n};" * 10}">' for n in range(9))


@pytest.mark.parametrize(
    ("subset", "reference", "title"),
    [
        ('<!ENTITY nbsp "&#160;">', "&nbsp;", "Fish now"),
        (BILLION_LAUGHS, " &lol9; ", "Fish &lol9; now"),
        ('<!ENTITY a "' + "a" * 100_000 + '">', " &a; ", "Fish &a; now"),
        ('<!ENTITY x SYSTEM "file:///etc/passwd">', " &x; ", "Fish &x; now"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32", "utf-16-le"])
def test_entities_that_the_document_declares_stay_what_they_are_called(subset, reference, title, encoding):
    before = process_time()
    document = f"<!DOCTYPE rss [{subset}]>{FEED.format(reference)}"
    (entry,) = parse(document.encode(encoding), url="http://news.example/feed").entries
    assert entry.title == title
    assert process_time() - before < 0.5


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("", "neither XML nor"),
        ("Hello <b>world</b>", "neither XML nor"),
        ("<?xml", "neither XML nor"),
        ("<!--" * 100_000, "neither XML nor"),
        ("<!DOCTYPE a [" * 100_000, "neither XML nor"),
        ("\x89PNG\r\n", "neither XML nor"),
        ("<!DOCTYPE html>\n<html><head>", "web page"),
        ("<HTML>" + PLAIN, "web page"),
    ],
)
def test_a_document_that_is_no_feed_is_refused_with_the_reason(document, reason):
    with pytest.raises(FeedUnreadable, match=reason):
        strip_prolog(document)
