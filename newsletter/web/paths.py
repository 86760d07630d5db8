"""Find the path that was meant: mail programs and people append to links, and double their slashes."""

import re

SLASHES = re.compile("/{2,}")
# A tracking parameter behind an encoded or missing question mark; or, behind a path, a blank, quote, tag or letter that
# no path of ours has, and the text that it begins. A NUL is no accident.
BEYOND = re.compile(r'[?&#].*|(?<=[^/])[\x01-\x20"<>\x7f-\U0010ffff].*', re.DOTALL)


def intended(path: str) -> str:
    """Return the path without what was appended to it: `//n/morning/.` means `/n/morning`.

    A path of ours ends with a letter, a digit, `-` or `_`, so any other character at the end is ignored, and so are
    `&utm_source=x` and doubled slashes. What else may follow a token, Links.read knows.
    """
    path = BEYOND.sub("", SLASHES.sub("/", path))
    end = len(path)
    while end and not (path[end - 1].isalnum() or path[end - 1] in "-_\0"):
        end -= 1
    return path[:end] or "/"
