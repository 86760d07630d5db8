"""Parse tag lists, the `name=value; name=value` of DKIM and DMARC records and of DKIM signatures."""

import re


def read(text: str) -> dict[str, str] | None:
    """Return the tags in their order, without blanks around them (RFC 6376 section 3.2); None if it is not a list."""
    found: dict[str, str] = {}
    for part in re.sub(r"\s+", " ", text).strip().strip(";").split(";"):
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or name in found:
            return None
        found[name] = value.strip()
    return found


def joined(value: str) -> str:
    """Return a value without white space, for values that may be folded anywhere, such as base64."""
    return re.sub(r"\s+", "", value)
