"""The extensions that a relay offers in its reply to EHLO (RFC 5321 section 4.1.1.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, kw_only=True)
class Extensions:
    """The extensions that this client uses. All are off if a relay knows only HELO."""

    pipelining: bool = False  # RFC 2920
    size: bool = False  # RFC 1870
    eight_bits: bool = False  # RFC 6152
    utf8: bool = False  # RFC 6531
    dsn: bool = False  # RFC 3461
    starttls: bool = False  # RFC 3207
    logins: frozenset[str] = frozenset()  # RFC 4954

    @classmethod
    def read(cls, lines: Sequence[bytes]) -> Self:
        """Return the extensions that the lines after the first one name."""
        words = [line.decode("ascii", "replace").upper().replace("AUTH=", "AUTH ").split() for line in lines[1:]]
        names = {each[0] for each in words if each}
        return cls(
            pipelining="PIPELINING" in names,
            size="SIZE" in names,
            eight_bits="8BITMIME" in names,
            utf8="SMTPUTF8" in names,
            dsn="DSN" in names,
            starttls="STARTTLS" in names,
            logins=frozenset(login for each in words if each and each[0] == "AUTH" for login in each[1:]),
        )
