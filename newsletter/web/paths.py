"""Find the path that was meant: mail programs and people append to links, and double their slashes."""

import re

SLASHES = re.compile("/{2,}")
# A tracking parameter behind an encoded or missing question mark, and the words of a language without blanks. Our own
# paths are ASCII without these characters.
BEYOND = re.compile(r"[?&#].*|(?<=[A-Za-z0-9_-])[^\x00-\x7f].*", re.DOTALL)


def intended(path: str) -> str:
    """Return the path without what was appended to it: `//n/morning/.` means `/n/morning`.

    A path of ours ends with a letter, a digit, `-` or `_`, so any other character at the end is ignored, and so are
    `&utm_source=x` and doubled slashes. A NUL stays: it is no accident. What else may follow a token, Links.read knows.
    """
    path = BEYOND.sub("", SLASHES.sub("/", path))
    end = len(path)
    while end and not (path[end - 1].isalnum() or path[end - 1] in "-_\0"):
        end -= 1
    return path[:end] or "/"
