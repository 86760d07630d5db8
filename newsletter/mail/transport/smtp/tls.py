"""How a relay proves its identity over TLS."""

import ssl

from newsletter.errors import Misconfigured
from newsletter.relays import Relay


def tls_context(relay: Relay) -> ssl.SSLContext:
    """Return a context that requires a certificate for the relay's name (RFC 8314 section 4.4), except on this machine.

    What is sent to a loopback address never leaves the machine, so nobody can intercept it and a certificate would
    prove nothing. Debian's Postfix offers STARTTLS with a self-signed certificate; if it were required to verify, no
    letter would ever leave. Anywhere else an unverified certificate is as good as none (RFC 3207 section 6).

    If the relay's URL names a file of certificates (`ca=`), only these are trusted, and on this machine too.
    Raises Misconfigured if the file cannot be read.
    """
    if relay.is_on_this_machine and relay.ca is None:
        return _trusting()
    try:
        return ssl.create_default_context(cafile=relay.ca)
    except ssl.SSLError:
        raise _unusable(relay, "it contains no certificate in PEM format") from None
    except OSError as error:
        raise _unusable(relay, error.strerror) from None


def _trusting() -> ssl.SSLContext:
    """Return a context that verifies nothing, and so need not read the machine's certificates first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _unusable(relay: Relay, reason: str | None) -> Misconfigured:
    return Misconfigured(f"NEWSLETTER_SMTP_URL: the file ca={relay.ca} cannot be used: {reason}")
