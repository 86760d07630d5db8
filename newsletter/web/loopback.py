"""Tell requests from this machine apart from all others."""

from fastapi import Request

from newsletter.errors import NotFound
from newsletter.relays import is_loopback

PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")


def is_from_this_machine(request: Request) -> bool:
    """Whether client and Host header are both loopback, and no header shows that a proxy forwarded the request.

    The Host check stops DNS rebinding, where another site's name resolves to this machine. A local proxy is mistaken
    for this machine only if it rewrites the host and adds no header.
    """
    peer = request.client.host.removeprefix("::ffff:") if request.client else ""  # IPv4 on a socket for both
    ours = is_loopback(peer) and is_loopback(request.url.hostname or "")
    return ours and not any(header in request.headers for header in PROXY_HEADERS)


def require_this_machine(request: Request) -> None:
    """Raise NotFound unless the request comes from this machine."""
    if not is_from_this_machine(request):
        raise NotFound
