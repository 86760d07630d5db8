"""Shut out: why a relay cannot be used, in words for an operator, and whether that passes by itself."""

import os
import socket
import ssl

from newsletter.mail.transport import replies
from newsletter.mail.transport.transport import Reply


class UnavailableError(Exception):
    """The relay does not let us in; `lasting` where it will not do so by itself later."""

    def __init__(self, says: str, *, lasting: bool = False) -> None:
        super().__init__(says)
        self.lasting = lasting


def refused(what: str, reply: Reply) -> UnavailableError:
    """By the relay, in its own words. RFC 5321 section 4.2.1: 5yz is not to be repeated as it is, all else may be."""
    return UnavailableError(f"{what}: {reply.words}", lasting=reply.code is not None and reply.code >= 500)


def failed(error: Exception) -> UnavailableError:
    """By the network, by TLS or by the DNS."""
    match error:
        case ssl.SSLCertVerificationError():
            return UnavailableError(f"its certificate does not verify: {error.verify_message}", lasting=True)
        case ssl.SSLError():
            says = f"TLS cannot be agreed on: {error.reason or replies.ours(error).text}"
        case socket.gaierror():
            says = f"its name cannot be found: {error.strerror}"
        case UnicodeError():
            says = "its name cannot be looked up, for it is none"
        case OSError(errno=int(number)) if number > 0:
            says = os.strerror(number)  # the error's own words may hold an address of the network
        case _:
            says = replies.ours(error).text
    # A name that is not found may be that of a container which starts again; it becomes lasting like all other trouble.
    return UnavailableError(says, lasting=isinstance(error, UnicodeError))
