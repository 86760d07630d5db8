"""What an attempt to sign in is counted by: the account, the device if it is known, and the networks it came from."""

from collections.abc import Sequence
from datetime import timedelta

from fastapi import Request

from newsletter.consent.limits import networks
from newsletter.keys import to_base64url
from newsletter.operators import sign_in_attempts
from newsletter.operators.sign_in_attempts import AttemptLimit
from newsletter.web.desk.access import devices
from newsletter.web.site import Site

PURPOSE = "sign-in attempts"  # of the MACs
HOUR = timedelta(hours=1)
PER_DEVICE, PER_ACCOUNT_AND_HOST, PER_ACCOUNT, PER_HOST, PER_NETWORK = 20, 10, 100, 30, 100  # wrong ones in an hour
PER_CODE = 10  # wrong codes of a second factor
PER_SESSION = 10  # wrong passwords where somebody has signed in already
LINKS_PER_HOST, LINKS_PER_NETWORK, LINKS_PER_ACCOUNT = 20, 60, 3  # links by mail that are asked for in an hour
NO_ADDRESS = "unknown"


def on_password(request: Request, site: Site, *, address: str, ip: str | None) -> list[AttemptLimit]:
    """Return the limits of an attempt with a password."""
    if device := devices.known(request, site, address):
        return [AttemptLimit(_key(site, "device", device, address), PER_DEVICE, HOUR, is_own=True)]
    host, network = networks.keys(site.keyring, ip)
    # An address that may be a proxy's counts here as well: there is no better one, and known devices do not suffer.
    host = host or _key(site, "private", ip or NO_ADDRESS)
    limits = [
        AttemptLimit(_key(site, "account", address, host), PER_ACCOUNT_AND_HOST, HOUR, is_own=True),
        AttemptLimit(_key(site, "account", address), PER_ACCOUNT, HOUR),
        AttemptLimit(f"sign-in {host}", PER_HOST, HOUR),
    ]
    return [*limits, AttemptLimit(f"sign-in {network}", PER_NETWORK, HOUR)] if network else limits


def on_code(request: Request, site: Site, *, address: str) -> list[AttemptLimit]:
    """Return the limits of an attempt with a code, by somebody who knows the password."""
    device = devices.known(request, site, address) or ""
    return [AttemptLimit(_key(site, "code", address, device), PER_CODE, HOUR, is_own=True)]


def at_desk(site: Site, *, session_id: int) -> list[AttemptLimit]:
    """Return the limits of an attempt with a password by an operator who has signed in."""
    return [AttemptLimit(_key(site, "session", str(session_id)), PER_SESSION, HOUR, is_own=True)]


def on_link(site: Site, *, address: str, ip: str | None) -> tuple[list[AttemptLimit], list[AttemptLimit]]:
    """Return the limits of asking for a link by mail: those of the network, and that of the account."""
    host, network = networks.keys(site.keyring, ip)
    by_network = [AttemptLimit(f"link {host or _key(site, 'private', ip or NO_ADDRESS)}", LINKS_PER_HOST, HOUR)]
    if network:
        by_network.append(AttemptLimit(f"link {network}", LINKS_PER_NETWORK, HOUR))
    return by_network, [AttemptLimit(_key(site, "link", address), LINKS_PER_ACCOUNT, HOUR)]


def count(site: Site, limits: Sequence[AttemptLimit]) -> None:
    """Count an attempt before it is made. Raises TooManyAttempts if none is left."""
    with site.database.reading() as session:  # an attempt too many takes no lock
        sign_in_attempts.check(session, limits, now=site.now())
    with site.database.writing() as session:
        sign_in_attempts.count(session, limits, now=site.now())


def _key(site: Site, kind: str, *parts: str) -> str:
    return f"{kind}:{to_base64url(site.keyring.mac(PURPOSE, ' '.join((kind, *parts)).encode()))}"
