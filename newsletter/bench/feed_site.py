"""A web server of feeds for the benchmark: each of its addresses publishes a feed of its own.

Run it as `python -m newsletter.bench.feed_site --port 8081`. It listens on every address of this machine, among them
the sixteen million of 127.0.0.0/8, and takes the address that a client asked for as the feed's name.
"""

import argparse
import asyncio
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from ipaddress import IPv4Address
from pathlib import Path
from typing import cast

import uvloop

import newsletter

SAMPLE = Path(newsletter.__file__).parent / "sample" / "feed.xml"
ENTRIES = 15
FIRST_ADDRESS = IPv4Address("127.1.0.1")
NEWEST = datetime(2026, 11, 20, tzinfo=UTC)
TEXT = re.compile(r"<p>(?!<img)(.*?)</p>", re.DOTALL)
TITLE = re.compile(r"<item>\s*<title>(.*?)</title>")
HEAD = (
    "HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml; charset=utf-8\r\n"
    "Content-Length: {}\r\nConnection: close\r\n\r\n"
)
NAME = "feed.name.example"  # replaced by the feed's name
MIDNIGHT = b" 00:00:00 "  # replaced by the time of day at which the feed publishes


def addresses(number: int, port: int) -> list[str]:
    """Return the URLs of that many feeds, each on an address of its own."""
    return [f"http://{FIRST_ADDRESS + each}:{port}/feed.xml" for each in range(number)]


def template() -> bytes:
    """Return a feed of 15 articles, about 20 kB; no two feeds share a title, a text or a date."""
    sample = SAMPLE.read_text(encoding="utf-8")
    titles, texts = TITLE.findall(sample), TEXT.findall(sample)
    items = "".join(_item(number, titles, texts) for number in range(ENTRIES))
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<channel><title>News of {NAME}</title><link>http://{NAME}/</link><description>News</description>"
        f"{items}</channel></rss>"
    ).encode()


def _item(number: int, titles: list[str], texts: list[str]) -> str:
    title = titles[number % len(titles)]
    shown = (texts[(2 * number + each) % len(texts)] for each in range(3))
    html = "".join(f"<p>{NAME} {number}: {text} <a href='/more'>More</a></p>" for text in shown)
    date = format_datetime(NEWEST - timedelta(days=number))
    return (
        f"<item><title>{NAME}, {number}: {title}</title><link>http://{NAME}/{number}</link>"
        f"<guid isPermaLink='false'>{NAME}/{number}</guid><dc:creator>Ann Example</dc:creator>"
        f"<pubDate>{date}</pubDate><category>News</category><description>{escape(html)}</description></item>"
    )


class FeedConnection(asyncio.Protocol):
    """One connection: it answers one request with the feed of the address that it came to."""

    def __init__(self, feed: bytes) -> None:
        self._feed = feed
        self._request = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of no class of asyncio

    def data_received(self, data: bytes) -> None:
        """Answer once the whole request has arrived."""
        self._request += data
        if self._transport and b"\r\n\r\n" in self._request:
            address = self._transport.get_extra_info("sockname")[0]
            hour, minute = divmod(int(IPv4Address(address)) % 1440, 60)
            body = self._feed.replace(MIDNIGHT, f" {hour:02}:{minute:02}:00 ".encode())
            body = body.replace(NAME.encode(), address.encode())
            self._transport.write(HEAD.format(len(body)).encode() + body)
            self._transport.close()


async def _serve(port: int) -> None:
    feed = template()
    loop = asyncio.get_running_loop()
    everywhere = "0.0.0.0"  # noqa: S104 - there is no other way to listen on all of 127.0.0.0/8
    server = await loop.create_server(lambda: FeedConnection(feed), everywhere, port, backlog=1024)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Serve until the process ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(_serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
