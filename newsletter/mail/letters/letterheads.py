"""The letterhead of the service itself, which writes to operators in nobody's name: an empty desk has no newsletter."""

from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from newsletter.appearance.static_files import DEFAULT_BRAND


class DeskAddresses(Protocol):
    """The settings that name the desk and from which address it writes."""

    @property
    def service_sender(self) -> str | None:
        """The address in From; None: nobody is written to."""

    @property
    def desk_origin(self) -> str:
        """Scheme and host of the desk's pages."""


class ServiceLetterhead(NamedTuple):
    """Who a letter to an operator comes from. It has the names that letters read of a newsletter, too."""

    sender: str  # the address in From
    desk_url: str  # of the desk's origin
    brand: str = DEFAULT_BRAND
    language: str = "en"

    @property
    def host(self) -> str:
        """The host of the desk, as people know it."""
        return urlsplit(self.desk_url).netloc

    @property
    def publisher(self) -> str:
        """The name in From."""
        return f"Desk of {self.host}"


def service_letterhead(settings: DeskAddresses) -> ServiceLetterhead | None:
    """Return the letterhead; None if the settings name no sender, so that the service writes to nobody."""
    return ServiceLetterhead(settings.service_sender, settings.desk_origin) if settings.service_sender else None
