"""Tag lists, the `name=value; name=value` that DKIM and DMARC records and DKIM signatures are written in."""

import re


def read(text: str) -> dict[str, str] | None:
    """The tags in their order, blanks taken off (RFC 6376 section 3.2); None where it is no such list."""
    found: dict[str, str] = {}
    for part in re.sub(r"\s+", " ", text).strip().strip(";").split(";"):
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or name in found:
            return None
        found[name] = value.strip()
    return found


def joined(value: str) -> str:
    """A value that may be folded anywhere, such as base64."""
    return re.sub(r"\s+", "", value)
