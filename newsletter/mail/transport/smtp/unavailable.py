"""Why a relay cannot be used, described for an operator, and whether the problem passes by itself."""

import os
import socket
import ssl

from newsletter.mail.transport import replies
from newsletter.mail.transport.transport import Reply

UNKNOWN_ISSUER = (18, 19, 20, 21)  # OpenSSL's X509_V_ERR_*: self-signed, or without a certificate of its issuer


class UnavailableError(Exception):
    """The relay cannot be used; `lasting` if the problem does not pass by itself."""

    def __init__(self, reason: str, *, lasting: bool = False) -> None:
        super().__init__(reason)
        self.lasting = lasting


def from_reply(problem: str, reply: Reply) -> UnavailableError:
    """Return the error of a relay's refusal, with its reply. It lasts after a 5xx (RFC 5321 section 4.2.1)."""
    return UnavailableError(f"{problem}: {reply.line}", lasting=reply.code is not None and reply.code >= 500)


def from_error(error: Exception) -> UnavailableError:
    """Return the error of a failure in the network, in TLS or in the DNS."""
    match error:
        case ssl.SSLCertVerificationError():
            reason = f"its certificate does not verify: {error.verify_message}"
            remedy = (
                " (for a certificate authority of your own, name its file with the option ca= in NEWSLETTER_SMTP_URL)"
            )
            return UnavailableError(reason + (remedy if error.verify_code in UNKNOWN_ISSUER else ""), lasting=True)
        case ssl.SSLError():
            reason = f"TLS cannot be agreed on: {error.reason or replies.from_error(error).text}"
        case socket.gaierror():
            reason = f"its name cannot be found: {error.strerror}"
        case UnicodeError():
            reason = "its name cannot be looked up, because it is not a valid host name"
        case OSError(errno=int(number)) if number > 0:
            reason = os.strerror(number)  # the error's own text may contain a network address
        case _:
            reason = replies.from_error(error).text
    # A name that is not found may be that of a container that is restarting. Like every problem it counts as lasting
    # after a while.
    return UnavailableError(reason, lasting=isinstance(error, UnicodeError))
