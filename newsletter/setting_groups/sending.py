"""How letters leave, and from whom the service itself writes."""

import re
import socket
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from newsletter.relays import Relay
from newsletter.setting_groups import lists
from newsletter.setting_groups.group import SettingGroup

EHLO_NAME = re.compile(r"[A-Za-z0-9.-]+|\[[A-Za-z0-9.:]+\]")  # a domain or an address literal, RFC 5321 section 4.1.2
SENDER = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


class SendingSettings(SettingGroup):
    """The relays, what greets them, and the sender of letters to operators."""

    smtp_url: Annotated[tuple[Relay, ...], BeforeValidator(lists.each(Relay.parse))] = Field(default=(), repr=False)
    ehlo_name: str = Field(default_factory=socket.getfqdn, min_length=1)
    service_sender: str | None = None  # the address from which the service itself writes to operators

    @field_validator("ehlo_name")
    @classmethod
    def _check_ehlo_name(cls, value: str) -> str:
        if not EHLO_NAME.fullmatch(value):
            raise ValueError("enter this machine's full name, such as mail.example.org")
        return value

    @field_validator("service_sender")
    @classmethod
    def _check_service_sender(cls, value: str | None) -> str | None:
        """Require an address that fits a header: ASCII, with its domain as A-labels."""
        if value and not SENDER.fullmatch(value):
            raise ValueError("enter the address alone, in plain letters, such as desk@example.org")
        return value or None
