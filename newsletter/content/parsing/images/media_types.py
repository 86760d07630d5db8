"""Decide from a type, a medium or a file name whether a file is a picture that mail programs show."""

import re
from urllib.parse import urlsplit

SHOWN = {"jpg", "jpeg", "jpe", "jfif", "pjpeg", "png", "gif", "webp"}
EXTENSION = re.compile(r"\.([a-z0-9]{1,5})(?::[a-z]+)?$")  # some hosts append a size, as in `photo.jpg:large`
OTHER_PICTURES = {"svg", "svgz", "ico", "avif", "heic", "heif", "tif", "tiff", "bmp", "jxl", "psd"}
OTHER_FILES = {
    *["mp3", "m4a", "aac", "ogg", "oga", "opus", "wav", "flac", "mp4", "m4v", "mov", "webm", "ogv", "avi", "mkv"],
    *["m3u8", "mpg", "mpeg", "wmv", "flv", "swf", "vtt", "srt", "html", "htm", "txt", "pdf", "epub", "doc", "docx"],
    *["zip", "torrent"],
}
UNKNOWN_TYPES = {"", "application/octet-stream", "binary/octet-stream", "image"}


def extension(url: str) -> str:
    """Return the extension of the file that a URL names, in lower case and without the dot; empty if it has none."""
    try:
        path = urlsplit(url.strip().lower()).path
    except ValueError:
        return ""
    found = EXTENSION.search(path)
    return found[1] if found else ""


def has_picture_extension(url: str) -> bool:
    """Return whether the URL names a file of a kind that mail programs show."""
    return extension(url) in SHOWN


def is_never_shown(url: str) -> bool:
    """Return whether the URL names a picture of a kind that mail programs do not show."""
    return extension(url) in OTHER_PICTURES


def is_shown(media_type: str) -> bool:
    """Return whether mail programs may show files of the media type; True if none is stated."""
    kind = media_type.partition(";")[0].strip().lower()
    return kind in UNKNOWN_TYPES or kind.removeprefix("image/").removeprefix("x-") in SHOWN


def is_picture(url: str, *, media_type: str = "", medium: str = "", is_likely: bool = False) -> bool:
    """Return whether a feed declares a picture that mail programs show.

    A medium or a type decides, else the file's extension. `is_likely` is returned if nothing does.
    """
    kind, named = media_type.partition(";")[0].strip().lower(), extension(url)
    if named in OTHER_PICTURES | OTHER_FILES or (kind.startswith("image/") and not is_shown(kind)):
        return False
    if medium.strip().lower() == "image" or kind.startswith("image/"):
        return True
    if medium.strip() or ("/" in kind and kind not in UNKNOWN_TYPES):
        return False
    return named in SHOWN or is_likely
