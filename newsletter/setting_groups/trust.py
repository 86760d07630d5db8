"""Whom the service trusts: holders of a key or token, its proxies, and private hosts of feeds."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from newsletter.allowed_hosts import AllowedHost
from newsletter.setting_groups import lists
from newsletter.setting_groups.group import SettingGroup

MIN_KEY_CHARACTERS = 32
MAX_KEY_ID_CHARACTERS = 8
MIN_TOKEN_CHARACTERS = 16  # too many to guess over the network
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # a bearer token, RFC 6750 section 2.1


def _keys(value: Any) -> Any:
    """Return pairs of id and key. Errors name a key by its position: an id may be part of a key with a comma."""
    parts = lists.comma_separated(value)
    pairs = tuple(tuple(part.partition(":")[::2]) for part in parts) if isinstance(value, str) else value
    for position, (name, key) in enumerate(pairs, start=1):
        if not (name.isascii() and name.isalnum() and len(name) <= MAX_KEY_ID_CHARACTERS):
            raise ValueError(f"key {position} needs an id of one to eight letters or digits and a colon, as in k1:...")
        if len(key) < MIN_KEY_CHARACTERS:
            raise ValueError(f"key {position} has fewer than {MIN_KEY_CHARACTERS} characters")
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("two keys have the same id")
    return pairs


def _networks(value: Any) -> Any:
    try:
        return tuple(_network(part) if isinstance(part, str) else part for part in lists.comma_separated(value))
    except ValueError as error:
        raise ValueError(f"{error}; enter proxies like 10.0.0.1 or 10.0.0.0/8") from None


def _network(value: str) -> IPv4Network | IPv6Network:
    """Return a network; IPv4 in IPv6 notation (RFC 4291 section 2.5.5.2) is IPv4."""
    network = ip_network(value)
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    return ip_network((mapped, network.prefixlen - 96)) if mapped and network.prefixlen >= 96 else network


class TrustSettings(SettingGroup):
    """Keys and tokens, proxies, and private hosts."""

    secret_keys: Annotated[tuple[tuple[str, str], ...], BeforeValidator(_keys)] = Field(default=(), repr=False)
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_networks)] = ()
    feed_allow: Annotated[tuple[AllowedHost, ...], BeforeValidator(lists.each(AllowedHost.parse))] = ()
    metrics_token: str | None = Field(default=None, repr=False)

    @field_validator("metrics_token")
    @classmethod
    def _check_metrics_token(cls, value: str | None) -> str | None:
        if value and not (len(value) >= MIN_TOKEN_CHARACTERS and TOKEN.fullmatch(value)):
            raise ValueError(
                f"enter at least {MIN_TOKEN_CHARACTERS} characters, letters, digits and any of . _ ~ + / -"
            )
        return value or None
