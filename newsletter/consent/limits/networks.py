"""The networks of a client's address."""

import ipaddress
from typing import NamedTuple

from newsletter.keys import Keyring, to_base64url


class Networks(NamedTuple):
    """The keyed MACs of a client's networks; None where no limit applies."""

    host: str | None
    network: str | None


def keys(keyring: Keyring, ip: str | None) -> Networks:
    try:
        address = ipaddress.ip_address(ip or "")
    except ValueError:
        return Networks(None, None)
    if address.is_private:
        return Networks(None, None)
    short, long = (24, 32) if address.version == 4 else (48, 64)
    named = [
        f"{keyring.newest}:{to_base64url(keyring.mac('network', str(ipaddress.ip_network((ip, n), strict=False)).encode()))}"
        for n in (long, short)
    ]
    return Networks(*named)
