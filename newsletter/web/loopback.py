"""Nearness: what only this machine may see."""

from fastapi import Request

from newsletter.errors import NotFound
from newsletter.settings import LOOPBACK

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")


def is_here(request: Request) -> bool:
    """Whether both ends are on this machine, and nothing says that a proxy beside us speaks for somebody else.

    A name that was made to point here is somebody else's page (DNS rebinding), so the host has to be ours as well. Only
    a proxy that neither keeps the host nor adds any header would be taken for the machine itself.
    """
    peer = request.client.host if request.client else ""
    ours = peer in LOOPBACK and request.url.hostname in LOOPBACK
    return ours and not any(header in request.headers for header in FORWARDED)


def on_this_machine(request: Request) -> None:
    """Raises NotFound for everybody else."""
    if not is_here(request):
        raise NotFound
