"""The cookie of a device on which somebody has signed in before: it has a limit of its own for wrong passwords.

It names nobody: a random number, and a MAC over it and the account's address.
"""

import hmac
import secrets

from fastapi import Request, Response

from newsletter.keys import to_base64url
from newsletter.web.desk.frame import origin
from newsletter.web.site import Site

PURPOSE = "desk device"  # of the MACs
NUMBER_BYTES, MAC_BYTES = 12, 16
SECONDS = 400 * 86400  # browsers keep no cookie for longer (RFC 6265bis section 5.6.1)


def known(request: Request, site: Site, address: str) -> str | None:
    """Return the number of a device on which this account has signed in before, None for any other."""
    number, _, given = origin.read_cookie(request, site, origin.DEVICE).partition(".")
    macs = [_mac(site, number, address, key).encode() for key in site.keyring] if number else []
    return number if any(hmac.compare_digest(mac, given.encode()) for mac in macs) else None


def remember(response: Response, request: Request, site: Site, address: str) -> None:
    """Set the cookie, for this account alone."""
    number = known(request, site, address) or secrets.token_urlsafe(NUMBER_BYTES)
    value = f"{number}.{_mac(site, number, address, site.keyring.newest)}"
    origin.set_cookie(response, site, origin.DEVICE, value, seconds=SECONDS)


def _mac(site: Site, number: str, address: str, key: str) -> str:
    return to_base64url(site.keyring.mac(PURPOSE, f"{number} {address}".encode(), key=key)[:MAC_BYTES])
