"""Canonical links: reduce the addresses under which one page is published to one text. Pure.

The worker itself does this, outside the limits of a download, so it takes a few milliseconds at most for any link.
"""

import re
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from newsletter.content.parsing.authorities import authority

# Hosts of one site for browsers, phones and AMP; also numbered ones (www2).
PREFIX = re.compile(r"^(?:www\d?|m|mobile|amp)\.(?=[^.]+\.)")
ADDRESS = re.compile(r"https?://[^/?#]", re.IGNORECASE)
SESSION = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/]*", re.IGNORECASE)
SESSION_ID = re.compile(r"(?=.*\d)[a-z0-9-]{16,}", re.IGNORECASE)  # a shorter `sid` may be a story's number
# A page in a cache of AMP pages: x.cdn.ampproject.org/c/s/press.example/bus, www.google.com/amp/s/press.example/bus.
CACHED = re.compile(
    r"https?://(?:[^/]+\.ampproject\.org/[a-z]|(?:www\.)?google\.[a-z.]+/amp)(?:/s)?/(.*)", re.IGNORECASE
)
REDIRECTING = ("url", "u", "q", "to", "target", "dest", "destination", "redirect", "link", "goto")  # parameters
MAX_WRAPPED = 3  # addresses within addresses
# What a path may end with although it names the same page: an index file, AMP's version, a slash.
ENDING = re.compile(r"(?:/+|/(?:index|default)\.(?:html?|php|aspx?)|/amp(?:\.html)?|\.amp)\Z", re.IGNORECASE)
LONGEST_ENDING = len("/default.aspx")
AMP_SUFFIX = re.compile(r"\.amp(?=\.html?$)", re.IGNORECASE)

# Parameters that tell where a reader came from. Those of campaigns share a prefix: Google's, Matomo's, HubSpot's ...
TRACKING_PREFIX = re.compile(r"(?:utm|at|mc|pk|piwik|mtm|matomo|hsa|wt|oly|vero|ga|ns|trk|stm|itm|sc|cm|fb|_hs)[_.].")
TRACKING = re.compile(
    "fbclid|gclid|dclid|gclsrc|gbraid|wbraid|msclkid|yclid|twclid|ttclid|li_fat_id|igshid|igsh|mkt_tok|cmpid|cmp|ocid|"
    "icid|ncid|intcid|s_cid|s_kwcid|ito|xtor|ftag|smid|spm|ref|ref_src|ref_url|referrer|referer|rss|campaign|"
    "campaign_id|traffic_source|guccounter|__twitter_impression|echobox|share|sr_share|partner|amp|"
    r"phpsessid|jsessionid|sess(?:ion)?_?id|cfid|cftoken|aspsessionid\w*|oscsid|zenid"
)
# Parameters that may name a page, unless their value names a channel: ?source=rss, ?from=newsletter.
AMBIGUOUS = re.compile("source|src|from|via|medium|feed|output|outputtype|format")
CHANNEL = re.compile(r"(?:rss|atom|feed|newsletter|e-?mail|twitter|facebook|social|amp)", re.IGNORECASE)
# Fragments that name a place on the page of one story. Others may name one of several stories on a page.
PLACE = re.compile(r"(?!!).*[=~].*|comments?|respond|more(?:-\d+)?|top|content|main|rss|", re.IGNORECASE)


@lru_cache(maxsize=1000)  # a story is compared by its link in several ways, and with the article that has the same link
def canonical(url: str) -> str:
    """Return a text that is equal for the addresses of one page, and readable: "press.example/bus?p=1".

    It has no scheme, no default port, no parameters that only track readers, and no ending such as /index.html.
    """
    try:
        parts = urlsplit(_unwrapped(url.strip()))
        site = PREFIX.sub("", authority(parts), count=1)
        fragment = "" if PLACE.fullmatch(parts.fragment) else f"#{parts.fragment}"
        return site + _path(parts.path) + _query(parts.query) + fragment
    except ValueError:
        return url.strip()


def without_host(url: str) -> str:
    """Return the canonical link without its host: "/bus?p=1". It is empty for the front page of a site."""
    return re.sub(r"^[^/?#]*", "", canonical(url))


def _unwrapped(url: str) -> str:
    """Return the page that a link through a cache or a counting redirect leads to, as far as the link says it."""
    for _ in range(MAX_WRAPPED):
        if cached := CACHED.match(url):
            url = f"https://{cached[1]}"
        pairs = parse_qsl(urlsplit(url).query)
        inner = next((value for name, value in pairs if name.lower() in REDIRECTING and ADDRESS.match(value)), None)
        if inner is None:
            break
        url = inner
    return url


def _path(path: str) -> str:
    path = re.sub("/+", "/", SESSION.sub("", unquote(path)))
    path = AMP_SUFFIX.sub("", path[len("/amp") :] if path.lower().startswith("/amp/") else path)
    while ending := ENDING.search(path, max(0, len(path) - LONGEST_ENDING)):
        path = path[: ending.start()]
    return quote(path, safe="/:@!$&'()*+,;=~")


def _query(query: str) -> str:
    kept = sorted((name, value) for name, value in parse_qsl(query, keep_blank_values=True) if not _tracks(name, value))
    return f"?{urlencode(kept)}" if kept else ""


def _tracks(name: str, value: str) -> bool:
    name = name.lower()
    if name == "sid":
        return bool(SESSION_ID.fullmatch(value))
    if AMBIGUOUS.fullmatch(name):
        return bool(CHANNEL.match(value)) or not value
    return bool(TRACKING.fullmatch(name) or TRACKING_PREFIX.match(name))
