"""Web pages in place of a feed: a check for robots, a login, a consent or a parking page, or an ordinary page."""

from time import process_time

import pytest

from newsletter.content.parsing import web_pages
from newsletter.content.parsing.documents.decoding import FeedUnreadable
from newsletter.content.parsing.parser import parse
from newsletter.content.parsing.web_pages import CONSENT, LOGIN, PARKED, ROBOT_CHECK

URL = "https://press.example/feed.xml"
FEED_LINK = '<link rel="alternate" type="application/rss+xml" href="/rss">'
MUCH_TEXT = "<p>" + "Readers find a long text on an ordinary page. " * 50


def page(body: str, *, title: str = "Example Press", head: str = "") -> str:
    return f"<!DOCTYPE html>\n<html lang=en><head><title>{title}</title>{head}</head><body>{body}</body></html>"


def refusal(document: str, url: str = URL) -> str:
    with pytest.raises(FeedUnreadable) as caught:
        parse(document.encode(), url=url)
    return str(caught.value)


@pytest.mark.parametrize(
    "document",
    [
        page("", title="Just a moment..."),
        page("<noscript>…</noscript>", head="<script>window._cf_chl_opt = {cRay: 'a'}</script>"),
        page("<p>Nur einen Moment", head="<script>window._cf_chl_opt={}</script>" + FEED_LINK),
        page("<h1>Checking your browser before accessing press.example</h1>"),
        page("<script src='/_Incapsula_Resource?SWJIYLWA=1'></script>"),
        page("<script src='https://ct.captcha-delivery.com/c.js'></script>", title="press.example"),
        page("<div id=px-captcha></div>"),
        page("<div class='h-captcha'></div><p>One more step"),
        page("<p>Please verify you are human."),
        page("<p>Are you a robot?"),
        page("", title="Making sure you're not a bot!"),
        page("<p>Pardon Our Interruption"),
        page("<script>window.awsWafCookieDomainList = []; window.gokuProps = {}</script>"),
    ],
)
def test_a_check_for_robots_is_called_that(document):
    assert refusal(document) == f"The server sent a web page. {ROBOT_CHECK}"


@pytest.mark.parametrize(
    ("document", "url"),
    [
        (page("<form><input type='password' name=p></form>"), URL),
        (page("<form><INPUT TYPE=PASSWORD></form>" + MUCH_TEXT), URL),
        (page("<div id=app></div>"), "https://press.example/login?next=/feed.xml"),
        (page("<div id=app></div>"), "https://press.example/wp-login.php"),
        (page("<div id=app></div>"), "https://accounts.press.example/o/"),
        (page("<p>Welcome back", title="Sign in · Example Press"), URL),
        (page("<p>Willkommen", title="Anmelden"), URL),
    ],
)
def test_a_login_page_is_called_that(document, url):
    assert refusal(document, url) == f"The server sent a web page. {LOGIN}"


@pytest.mark.parametrize(
    ("document", "url"),
    [
        (page("<p>…"), "https://consent.press.example/?continue=feed"),
        (page("<p>…"), "https://press.example/cookiewall?to=/feed.xml"),
        (page("<form action='https://consent.press.example/save'><button>Accept</form>"), URL),
        (page("<h1>Before you continue</h1><p>We use cookies."), URL),
    ],
)
def test_a_consent_page_is_called_that(document, url):
    assert refusal(document, url) == f"The server sent a web page. {CONSENT}"


@pytest.mark.parametrize(
    "document",
    [
        page("<h1>press.example</h1><p>This domain is for sale."),
        page("<p>This website name may be for sale"),
        page("<script src='//www.parkingcrew.net/a.js'></script>"),
        page("<p>The domain press.example has expired."),
    ],
)
def test_a_parking_page_is_called_that(document):
    assert refusal(document) == f"The server sent a web page. {PARKED}"


@pytest.mark.parametrize(
    "document",
    [
        page(MUCH_TEXT),
        page(MUCH_TEXT + "<p class=g-recaptcha>", head="<script src='/cdn-cgi/challenge-platform/a.js'></script>"),
        page("<svg>" + "<path d='M0'/>" * 200 + "</svg><p>Hello"),
        page("<noscript>You need to enable JavaScript to run this app.</noscript><div id=root></div>"),
        page("<h1>404</h1><p>Nothing is here."),
        "\ufeff<?xml version='1.0'?><!-- x --><html xmlns='http://www.w3.org/1999/xhtml'><body/></html>",
        "<HEAD></HEAD>",
        "<title>Hello</title>",
    ],
)
def test_an_ordinary_page_is_a_page(document):
    assert refusal(document) == "This is a web page, not a feed. Look on the page for the address of its feed."


COMMENTS_LINK = FEED_LINK.replace('"/rss"', '"/comments"')
HIDDEN_LINK = FEED_LINK.replace('"/rss"', '"/hidden"')
JSON_LINK = "<link rel=alternate type=application/feed+json href=f>"


@pytest.mark.parametrize(
    ("head", "feeds"),
    [
        (FEED_LINK, "https://press.example/rss"),
        ("<link rel='home alternate' type='application/atom+xml; x=y' href=a.xml>", "https://press.example/a.xml"),
        (f"<base href='https://cdn.example/x/'>{JSON_LINK}", "https://cdn.example/x/f"),
        (COMMENTS_LINK + FEED_LINK, "https://press.example/rss or https://press.example/comments"),
        (f"<script>a < '>'</script><!-- {HIDDEN_LINK} -->{FEED_LINK}", "https://press.example/rss"),
    ],
)
def test_an_ordinary_page_names_its_feed(head, feeds):
    document = page("<input type=password>" + "<div class=h-captcha>", head=head)
    assert refusal(document) == f"This is a web page, not a feed. It names its feed: {feeds}"


@pytest.mark.parametrize(
    "link",
    [
        "<link rel=alternate type=application/json href=/wp-json/>",
        "<link rel=alternate hreflang=de href=/de>",
        "<link rel=stylesheet type=application/rss+xml href=/rss>",
        "<link rel=alternate type=application/rss+xml href='javascript:alert(1)'>",
        "<link rel=alternate type=application/rss+xml href='http://['>",
    ],
)
def test_other_links_are_no_feeds(link):
    assert "Look on the page" in refusal(page("", head=link))


@pytest.mark.parametrize(
    "document",
    [
        "<rss version='2.0'><channel><title>Sign in</title></channel></rss>",
        "<!DOCTYPE html><rss version='2.0'><channel><description>&lt;html&gt; captcha</description></channel></rss>",
        "<feed xmlns='http://www.w3.org/2005/Atom'><title>Just a moment...</title></feed>",
    ],
)
def test_a_feed_is_never_taken_for_a_page(document):
    assert parse(document.encode(), url="https://press.example/login").entries == ()


@pytest.mark.parametrize(
    "document",
    [
        "<html>" + "<div>" * 300_000,
        "<!--" * 300_000,
        " " * 1_000_000,
        "<?x>" * 300_000 + "<p",
        "<html><body>" + "domain " * 200_000,
        "<html><link rel=alternate href=" * 50_000,
        "<html><title>" + "are you a not a " * 100_000,
        "<html><body>" + "<script>" * 100_000,
    ],
)
def test_no_page_takes_long(document):
    before = process_time()
    web_pages.explain(document, url=URL)
    assert process_time() - before < 2
