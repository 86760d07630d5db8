"""How many confirmation letters may leave in an hour; a letter over a limit waits in the slow lane."""

from pydantic import Field

from newsletter.setting_groups.group import SettingGroup


class LimitSettings(SettingGroup):
    """The limits of confirmation letters in an hour."""

    confirmations_per_host: int = Field(default=10, ge=1)  # IPv4 /32, IPv6 /64
    confirmations_per_network: int = Field(default=60, ge=1)  # IPv4 /24, IPv6 /48
    confirmations_per_domain: int = Field(default=100, ge=1)  # of the recipients
    confirmations_per_hour: int = Field(default=20_000, ge=1)  # all of them

    @property
    def confirmation_limits(self) -> tuple[int, int, int, int]:
        """The confirmation letters in an hour for a host, a network, a domain and overall."""
        per_recipient = self.confirmations_per_domain, self.confirmations_per_hour
        return self.confirmations_per_host, self.confirmations_per_network, *per_recipient
