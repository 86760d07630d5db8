"""Recognize images that no article is about: avatars, emoji, tracking pixels, buttons and badges."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

# Hosts, or hosts with the beginning of a path, that serve nothing but such images.
SERVICES = (
    *["gravatar.com", "avatars.githubusercontent.com", "s.w.org/images/core/emoji", "twemoji.maxcdn.com"],
    *["feeds.feedburner.com/~", "feedads.g.doubleclick.net", "doubleclick.net", "pixel.wp.com", "stats.wordpress.com"],
    *["feeds.wordpress.com/1.0", "google-analytics.com", "googletagmanager.com", "pixel.quantserve.com"],
    *["scorecardresearch.com", "facebook.com/tr", "pi.feedsportal.com", "res.feedsportal.com", "da.feedsportal.com"],
    *["addtoany.com", "addthis.com", "share.feedsportal.com", "img.shields.io", "badge.fury.io", "flattr.com"],
    *["licensebuttons.net", "i.creativecommons.org", "paypal.com", "paypalobjects.com", "buymeacoffee.com"],
    *["medium.com/_/stat", "blogger.com/img", "sb.scorecardresearch.com", "ko-fi.com"],
)
# Names of hosts that count visits, as in stats.press.example.
COUNTERS = {"analytics", "beacon", "counter", "matomo", "piwik", "pixel", "stats", "track", "tracking"}
# A folder of this name holds nothing else.
FOLDERS = {
    *["avatar", "avatars", "gravatar", "userpics", "emoji", "emojis", "emoticons", "smilies", "smileys", "twemoji"],
    *["favicons", "pixel", "beacon", "tracker"],
}
NAMES = re.compile(
    r"(?:^|/)(?:1x1|pixel|spacer|blank|transparent|clear|beacon|gravatar|avatar"
    r"|favicon[\w-]*|apple-touch-icon[\w-]*)\.[a-z]+$"
)
# A file or folder with one of these words may show what the article is about, but seldom does.
DOUBTFUL = {
    *["author", "avatar", "gravatar", "profile", "badge", "button", "buttons", "emoji", "favicon", "icon", "icons"],
    *["loading", "logo", "logos", "placeholder", "pixel", "share", "smiley", "spacer", "spinner", "sprite", "tracking"],
}
CLASSES = {
    *["avatar", "gravatar", "userpic", "emoji", "emojione", "twemoji", "smiley", "emoticon", "icon", "badge", "pixel"],
    *["tracker", "tracking", "feedflare", "sharedaddy", "addtoany", "share", "sharing"],
}
HOST = re.compile(r"^\s*(?:[a-z]+:)?//[^/?]*")
SEPARATORS = re.compile(r"[^a-z0-9]+")
SYMBOLS = 0x2190  # the first code point of Unicode's arrows, signs and emoji


def is_decoration(url: str) -> bool:
    """Return whether the absolute URL belongs to an avatar, an emoji, a tracking pixel, a button or a badge."""
    parts = urlsplit(url.lower())
    host = parts.hostname or ""
    if host.partition(".")[0] in COUNTERS or any(f".{service}" in f".{host}{parts.path}" for service in SERVICES):
        return True
    return not FOLDERS.isdisjoint(parts.path.split("/")[:-1]) or bool(NAMES.search(parts.path))


def is_doubtful(url: str) -> bool:
    """Return whether a word in the path of the URL, which may be relative, names an icon, a logo or a placeholder."""
    path = HOST.sub("", url.lower()).partition("?")[0]
    return not DOUBTFUL.isdisjoint(SEPARATORS.split(path))


def has_decorative_class(classes: Iterable[str | None]) -> bool:
    """Return whether a class attribute names an avatar, an emoji, a pixel or a button."""
    return not CLASSES.isdisjoint(SEPARATORS.split(" ".join(filter(None, classes)).lower()))


def is_emoji(alt: str) -> bool:
    """Return whether a text alternative consists of symbols only, as that of an emoji does."""
    return any(ord(sign) >= SYMBOLS for sign in alt) and not any(sign.isalnum() for sign in alt)
