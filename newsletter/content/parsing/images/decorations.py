"""Recognize images that no article is about: avatars, emoji, tracking pixels, buttons and badges."""

import re
from urllib.parse import urlsplit

from newsletter.content.parsing.images.media_types import extension

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
# What counts visits is seldom a photograph or a chart: stats.town.example may be the town's statistics.
PHOTOGRAPHS = {"jpg", "jpeg", "png", "webp"}
COUNTER_FOLDERS = {"pixel", "beacon", "tracker"}
# A folder of this name holds nothing else, except for a large picture of "Avatar", the film.
FOLDERS = {
    *["avatar", "avatars", "gravatar", "userpics", "emoji", "emojis", "emoticons", "smilies", "smileys", "twemoji"],
    "favicons",
}
LARGE_WIDTH = 400  # pixels
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
# Around an image, "share" and "icon" may speak of something else, as in "entry-content share-enabled".
CONTAINERS = re.compile(
    r"\b(?:avatar|gravatar|userpic|emoji|feedflare|sharedaddy|sd-sharing|addtoany|share-buttons|share-links|social-share"
    r"|author-(?:box|bio|info|card))\b"
)
HOST = re.compile(r"^\s*(?:[a-z]+:)?//[^/?]*")
SEPARATORS = re.compile(r"[^a-z0-9]+")
SYMBOLS = 0x2190  # the first code point of Unicode's arrows, signs and emoji


def is_decoration(url: str, *, width: int | None = None) -> bool:
    """Return whether the absolute URL belongs to an avatar, an emoji, a tracking pixel, a button or a badge."""
    parts = urlsplit(url.lower())
    host, folders = parts.hostname or "", parts.path.split("/")[:-1]
    is_counter = host.partition(".")[0] in COUNTERS or not COUNTER_FOLDERS.isdisjoint(folders)
    if is_counter and extension(url) not in PHOTOGRAPHS:
        return True
    if NAMES.search(parts.path) or any(f".{service}" in f".{host}{parts.path}" for service in SERVICES):
        return True
    return (width or 0) < LARGE_WIDTH and not FOLDERS.isdisjoint(folders)


def is_doubtful(url: str) -> bool:
    """Return whether a word in the path of the URL, which may be relative, names an icon, a logo or a placeholder."""
    path = HOST.sub("", url.lower()).partition("?")[0]
    return not DOUBTFUL.isdisjoint(SEPARATORS.split(path))


def has_decorative_class(classes: str) -> bool:
    """Return whether the class attribute of an image names an avatar, an emoji, a pixel or a button."""
    return not CLASSES.isdisjoint(SEPARATORS.split(classes.lower()))


def is_container(classes: str) -> bool:
    """Return whether the class attribute of an element around an image names a portrait or buttons."""
    return bool(CONTAINERS.search(classes.lower()))


def is_emoji(alt: str) -> bool:
    """Return whether a text alternative consists of symbols only, as that of an emoji does."""
    return any(ord(sign) >= SYMBOLS for sign in alt) and not any(sign.isalnum() for sign in alt)
