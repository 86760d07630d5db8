"""Recognize a web page that came in place of a feed, and say in an operator's words what it is.

A page is called a check for robots, a login, a consent or a parking page by the marks of the common products, and by
its title or text if it has little else. A page that names its feed is an ordinary page, whatever widgets it contains.
"""

import html as markup
import re
from functools import cached_property
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser

from newsletter.content.parsing.feed_links import web_address

MAX_CHARACTERS = 200_000  # of a page that are examined
FEW_CHARACTERS = 1500  # of text: an obstacle says little else
MAX_FEEDS = 3
NAMED, OR = "It names its feed: ", " or "  # between addresses, which contain no blank

ROBOT_CHECK = "It shows a check for robots in place of the feed. Ask the publisher to let this service read the feed."
LOGIN = "It shows a login page in place of the feed. Ask the publisher for an address of the feed that needs no login."
CONSENT = (
    "It asks for consent in place of the feed. Ask the publisher for an address of the feed that needs no consent."
)
PARKED = "It shows that the domain is for sale or has expired. Look for the feed's new address, or remove it."

# The root element of a page, after anything that may stand before it. The groups are atomic, so no text takes long.
PAGE = re.compile(
    r"(?>\ufeff|\s|<\?[^>]*>|<!--.*?-->|<!doctype[^>\[]*>)*+<(?:html|head|body|title|meta|script|noscript|center)\b",
    re.DOTALL | re.IGNORECASE,
)
# A comment or a script, also one that does not end. What remains is read without a tree: deep nesting makes one slow.
INVISIBLE = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style|template)\b.*?(?:</\1\b|\Z)", re.DOTALL | re.IGNORECASE)
NOTABLE_TAG = re.compile(r"<(?:base|link|form|input)\b[^<>]*>", re.IGNORECASE)
TITLE = re.compile(r"<title\b[^<>]*>([^<]*)", re.IGNORECASE)
TITLE_ELEMENT = re.compile(r"<title\b.*?(?:</title\b|\Z)", re.DOTALL | re.IGNORECASE)
TAG = re.compile(r"<[^<>]*>")
FEED_TYPES = {"application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml"}

# Scripts of products that no page contains unless it is the check itself.
CHECK_SCRIPTS = re.compile(
    r"_cf_chl_opt|cf-browser-verification|cf-error-details|captcha-delivery\.com|sgcaptcha|anubis_challenge"
    r"|\.within\.website/|awswafcookiedomainlist|gokuprops|sucuri_cloudproxy|vercel security checkpoint"
)
# Widgets that stand on many ordinary pages too, beside much text.
CHECK_WIDGETS = re.compile(
    r"_incapsula_resource|px-captcha|g-recaptcha|h-captcha|hcaptcha\.com|cf-turnstile|friendlycaptcha|frc-captcha"
    r"|/cdn-cgi/challenge-platform/|ddos-guard"
)
CHECK_WORDS = re.compile(
    r"just a moment|attention required|checking your browser|verify(ing)? (that )?(you|your browser|you are human)"
    r"|(are|is) (you )?(a |not )*(robot|human|bot)\b|not a (ro)?bot\b|human verification|robot check|security check"
    r"|pardon our interruption|unusual traffic|client challenge|bot protection|captcha"
    r"|enable (javascript|js) and cookies|einen moment|un instant|un momento"
)
LOGIN_PLACE = re.compile(
    r"^(login|signin|sso|accounts?|auth)\.|/(log-?in|log-?on|sign-?in|sso|saml2?|account-?login|wp-login)(\.\w{2,4})?/?$"
)
LOGIN_WORDS = re.compile(r"^\W*(log ?in|log ?on|sign ?in|anmelden|anmeldung|connexion|iniciar sesi|accedi|inloggen)\b")
CONSENT_PLACE = re.compile(r"(^|[/._-])(consent|cookie-?wall|privacy-?wall|guce|cmp)([/._\s-]|$)|collectconsent")
CONSENT_WORDS = re.compile(r"before you continue|bevor sie (fortfahren|zu)|avant de continuer|we value your privacy")
PARKED_WORDS = re.compile(
    r"sedoparking|parkingcrew|parklogic|bodis\.com|hugedomains|afternic\.com/forsale"
    r"|(domain|website)( name)?\b.{0,60}\b((is|may be) for sale|(is|was) parked|has expired)|buy this domain"
)


class WebPage:
    """An HTML document of a stranger, fetched from `url`."""

    def __init__(self, html: str, *, url: str) -> None:
        self._source = html[:MAX_CHARACTERS].lower()
        self._visible = INVISIBLE.sub(" ", html[:MAX_CHARACTERS])
        self._url = url
        self._tags = LexborHTMLParser("".join(NOTABLE_TAG.findall(self._visible)))

    @cached_property
    def feeds(self) -> list[str]:
        """The addresses of the feeds that the page names in its head; those of comments come last."""
        base = self._attribute("base[href]", "href")
        found = {}
        for link in self._tags.css("link[rel~=alternate][href]"):
            kind = (link.attributes.get("type") or "").partition(";")[0].strip().lower()
            address = web_address(link.attributes.get("href") or "", web_address(base, self._url) or self._url)
            if address and kind in FEED_TYPES:
                found[address] = "comment" in f"{address} {link.attributes.get('title') or ''}".lower()
        return sorted(found, key=lambda address: found[address])[:MAX_FEEDS]

    @cached_property
    def obstacle(self) -> str | None:
        """What the page asks of a person before it shows the feed, in words; None for an ordinary page."""
        if CHECK_SCRIPTS.search(self._source):
            return ROBOT_CHECK
        if self.feeds:
            return None
        if CONSENT_PLACE.search(self._places) or CONSENT_WORDS.search(self._little_text):
            return CONSENT
        has_password = self._tags.css_first("input[type=password i]")
        if has_password or LOGIN_PLACE.search(self._place) or LOGIN_WORDS.search(self._title):
            return LOGIN
        if PARKED_WORDS.search(self._little_text) or PARKED_WORDS.search(self._source[:5000]):
            return PARKED
        is_check = CHECK_WORDS.search(self._little_text) or (self._little_text and CHECK_WIDGETS.search(self._source))
        return ROBOT_CHECK if is_check else None

    @cached_property
    def _title(self) -> str:
        title = TITLE.search(self._visible)
        return _words(title[1]) if title else ""

    @cached_property
    def _little_text(self) -> str:
        """The title and the text in lower case; empty if there is more text than an obstacle shows."""
        text = _words(TAG.sub(" ", TITLE_ELEMENT.sub(" ", self._visible, count=1)))
        return f"{self._title} {text}" if len(text) <= FEW_CHARACTERS else ""

    @cached_property
    def _place(self) -> str:
        """The host and the path that the page came from."""
        parts = urlsplit(self._url.lower())
        return f"{parts.hostname or ''}{parts.path}"

    @cached_property
    def _places(self) -> str:
        """Where the page came from, and where its first form leads."""
        return f"{self._place} {self._attribute('form[action]', 'action').lower().partition('?')[0]}"

    def _attribute(self, selector: str, name: str) -> str:
        node = self._tags.css_first(selector)
        return (node.attributes.get(name) or "") if node else ""


def _words(text: str) -> str:
    return " ".join(markup.unescape(text).split()).lower()


def explain(text: str, *, url: str) -> str | None:
    """Return what a document is if it is a web page, and what to do; None if it is none and so may be a feed."""
    if not PAGE.match(text):
        return None
    page = WebPage(text, url=url)
    if page.obstacle:
        return f"The server sent a web page. {page.obstacle}"
    if page.feeds:
        return f"This is a web page, not a feed. {NAMED}{OR.join(page.feeds)}"
    return "This is a web page, not a feed. Look on the page for the address of its feed."


def named_feeds(explanation: str) -> list[str]:
    """Return the addresses of the feeds that a page names, from what `explain` has said of it."""
    _, _, named = explanation.partition(NAMED)
    return named.split(OR) if named else []


def obstacle(text: str, *, url: str) -> str | None:
    """Return what a page that came with an error asks of a person, such as a login; None if it asks nothing."""
    return WebPage(text, url=url).obstacle if PAGE.match(text) else None
