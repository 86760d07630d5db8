"""Load what a download loads on first use, so that the fork server's children find it loaded."""

from contextlib import suppress
from io import BytesIO

from PIL import Image

from newsletter.content.fetching.destinations import FetchError
from newsletter.content.fetching.http import HttpFetcher, tls_context
from newsletter.content.parsing import parser
from newsletter.content.parsing.dates import dates
from newsletter.content.parsing.documents.decoding import FeedUnreadable
from newsletter.content.parsing.images import image_check, shrinking

RSS = """<?xml version="1.0"?><rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"><channel><title>A</title>
<link>http://example.org/</link><item><title>&amp;eacute; B</title><guid>1</guid><link>/1</link>
<author>a@example.org (Ann)</author><pubDate>Sat, 14 Mar 2026 12:00:00 +0100</pubDate><category>C</category>
<media:content url="/1.png" medium="image"/><description>&lt;p&gt;Text. &lt;img src="/2.png"&gt;&lt;/p&gt;</description>
</item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><entry><id>1</id><title type="html">B</title>
<link href="/1"/><author><name>Ann</name></author><updated>2026-03-14T12:00:00Z</updated>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Text.</p></div></content></entry></feed>"""
JSON_FEED = """{"version": "https://jsonfeed.org/version/1.1", "title": "A", "items": [{"id": "1", "url": "/1",
"content_html": "<p>Text.</p>", "date_published": "2026-03-14T12:00:00Z"}]}"""
LOCAL_DATE = (
    "<rss><channel><item><title>A</title><pubDate>Sa, 14 März 2026 12:00:00 MEZ</pubDate></item></channel></rss>"
)
DOCUMENTS = (RSS.encode(), ATOM.encode("utf-16"), JSON_FEED.encode(), b"<rss>&", b"")
CLOSED = "http://127.0.0.1:1/"  # forbidden: the request ends before a connection is made


def warm_up() -> None:
    """Load certificates, parsers and image formats by reading small documents of each kind."""
    tls_context()
    with suppress(FetchError):
        HttpFetcher().fetch(CLOSED)
    for body in DOCUMENTS:
        with suppress(FeedUnreadable):
            parser.parse(body, url="http://example.org/feed", content_type="text/xml")
    for kind in image_check.FORMATS:
        file = BytesIO()
        Image.new("RGB", (shrinking.LEAD_BOX[0] + 1, 400)).save(file, kind)
        shrinking.lead_and_thumbnail(file.getvalue(), suitable=image_check.LEAD)


def load_languages() -> None:
    """Load the names of months and days of all languages: a second of processor time that few documents need."""
    dates.prepare()
    parser.parse(LOCAL_DATE.encode("latin-1"), url="http://example.org/feed", content_type="text/xml")
