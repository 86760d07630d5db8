"""Turn IRIs into URIs (RFC 3987 section 3.1): a mail program makes a link of ASCII alone, and ends it elsewhere."""

from urllib.parse import quote, urlsplit, urlunsplit

import idna

KEPT = "%:/?#[]@!$&'()*+,;=-._~"  # the reserved characters, and those that are encoded already (RFC 3986 section 2)
MAX_HOST = 253  # characters (RFC 1035 section 2.3.4); IDNA takes long for a longer name, which no resolver knows


def uri(iri: str) -> str:
    """Return the URI of an absolute IRI: the host in ASCII (IDNA), every other character beyond ASCII percent-encoded.

    A URI stays as it is.
    """
    if iri.isascii():
        return quote(iri, safe=KEPT)
    try:
        parts = urlsplit(iri)
        host = parts.hostname or ""
        if not host.isascii():
            before, _, after = parts.netloc.rpartition("@")
            port = after.partition(":")[1:]
            parts = parts._replace(netloc=f"{before and f'{before}@'}{ascii_host(host)}{''.join(port)}")
        iri = urlunsplit(parts)
    except ValueError:  # a host that only looks like one; RFC 3986 section 3.2.2 lets it be percent-encoded
        pass
    return quote(iri, safe=KEPT, errors="replace")


def ascii_host(host: str) -> str:
    """Return a name in ASCII as browsers do (UTS 46), also names that IDNA 2008 forbids, such as those of emoji."""
    if len(host) > MAX_HOST:
        return host
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError:
        return ".".join(
            label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in host.split(".")
        )
