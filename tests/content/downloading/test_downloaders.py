"""The contract of a downloader, in this process and in processes of its own."""

from io import BytesIO

import pytest
from PIL import Image

from newsletter.content import logos
from newsletter.content.downloading.downloader import DirectDownloader, Downloader, PictureDownload
from newsletter.content.downloading.sandboxed import SandboxedDownloader
from newsletter.content.fetching.destinations import FetchError, Forbidden, ServerUnavailable
from newsletter.content.fetching.http import HttpFetcher
from newsletter.content.parsing.documents.decoding import FeedUnreadable
from newsletter.content.parsing.images.image_check import PictureUnsuitable
from newsletter.content.parsing.images.shrinking import PictureFile
from newsletter.errors import Malformed
from tests.content.downloading.conftest import ALLOW
from tests.content.images import image_file
from tests.local_http import LocalHttp

ETAG = '"one"'
RSS = """<rss version="2.0"><channel><title>Grüße</title><item><title>Bus</title><link>/bus</link>
<pubDate>Sat, 14 Mar 2026 12:00:00 GMT</pubDate><category>Traffic</category>
<description>&lt;p&gt;All &lt;b&gt;about&lt;/b&gt; it.&lt;img src="/bus.png" alt="A bus"&gt;</description>
</item></channel></rss>"""


@pytest.fixture(params=["direct", "sandboxed"])
def downloader(request: pytest.FixtureRequest, sandboxed: SandboxedDownloader) -> Downloader:
    return sandboxed if request.param == "sandboxed" else DirectDownloader(HttpFetcher(allow=ALLOW))


def test_a_feed_arrives_with_its_entries_and_validators(downloader, site: LocalHttp):
    url = site.put("/feed.xml", RSS.encode(), etag=ETAG)
    download = downloader.feed(url)
    assert (download.url, download.etag, download.feed.title) == (url, ETAG, "Grüße")
    assert download == DirectDownloader(HttpFetcher(allow=ALLOW)).feed(url)
    (entry,) = download.feed.entries
    assert (entry.title, entry.summary, entry.categories) == ("Bus", "All about it.", ("Traffic",))
    assert entry.published_at.isoformat() == "2026-03-14T12:00:00+00:00"


def test_an_unchanged_feed_is_not_sent_again(downloader, site: LocalHttp):
    url = site.put("/feed.xml", RSS.encode(), etag=ETAG)
    assert downloader.feed(url, etag=ETAG).feed is None
    assert site.requests[-1][1]["if-none-match"] == ETAG


def test_a_picture_arrives_with_its_thumbnail(downloader, site: LocalHttp):
    body = image_file(300, 200)
    small = PictureFile(body=body, type="image/png", width=300, height=200)
    assert downloader.picture(site.put("/bus.png", body)) == PictureDownload(file=small)
    picture = downloader.picture(site.put("/bus.png", image_file(2000, 1000)))
    assert [(file.width, file.height) for file in (picture.file, picture.thumbnail)] == [(1104, 552), (300, 150)]
    assert all(Image.open(BytesIO(file.body)).width == file.width for file in (picture.file, picture.thumbnail))


def test_a_logo_is_read_as_carefully_as_a_picture_of_a_stranger(downloader):
    assert logos.read(downloader, image_file(2000, 500)).file.width == 400
    for body, says in ((b"<svg/>", "PNG, GIF, JPEG or WebP"), (bytes(2_000_001), "larger than 2 MB")):
        with pytest.raises(Malformed, match=says) as error:
            logos.read(downloader, body)
        assert error.value.field == "logo"


def test_a_missing_document_is_an_error_with_the_reason(downloader, site: LocalHttp):
    with pytest.raises(FetchError, match="404 Not Found"):
        downloader.feed(site.url("/missing.xml"))
    with pytest.raises(FetchError, match="404 Not Found"):
        downloader.picture(site.url("/missing.png"))


def test_a_document_that_is_no_feed_is_unreadable(downloader, site: LocalHttp):
    with pytest.raises(FeedUnreadable, match="XML, but not a feed"):
        downloader.feed(site.put("/feed.xml", b"<opml/>"))


@pytest.mark.parametrize("body", [image_file(20, 20), image_file(300, 200)[:100], b"<svg/>"])
def test_a_file_that_is_no_lead_picture_is_unsuitable(downloader, site: LocalHttp, body):
    with pytest.raises(PictureUnsuitable):
        downloader.picture(site.put("/bus.png", body))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503, 599])
def test_a_server_that_cannot_answer_now_is_unavailable(downloader, site: LocalHttp, status):
    with pytest.raises(ServerUnavailable):
        downloader.picture(site.put("/bus.png", status=status))


def test_an_unknown_host_is_unavailable(downloader):
    with pytest.raises(ServerUnavailable, match="unknown"):
        downloader.picture("http://press.invalid/bus.png")


def test_a_private_address_is_forbidden(downloader, site: LocalHttp):
    with pytest.raises(Forbidden, match="not a public address"):
        downloader.feed("http://127.0.0.2:1/feed.xml")


def test_the_time_that_a_server_asks_to_wait_arrives(downloader, site: LocalHttp):
    url = site.put("/feed.xml", status=503, headers={"Retry-After": "7200"})
    with pytest.raises(FetchError, match="503") as caught:
        downloader.feed(url)
    with pytest.raises(FetchError) as direct:
        DirectDownloader(HttpFetcher(allow=ALLOW)).feed(url)
    assert caught.value.retry_after == direct.value.retry_after
