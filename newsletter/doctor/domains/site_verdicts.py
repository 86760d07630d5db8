"""The verdicts on what the settings say: the site's address in letters, and how letters travel to the relays."""

from collections.abc import Iterator, Sequence

from newsletter.doctor.domains.verdicts import Verdict, advice, wrong
from newsletter.relays import Relay


def judge(base_url: str, *, is_public_http: bool, relays: Sequence[Relay]) -> Iterator[Verdict]:
    """Yield a verdict on each setting that is not safe. What a relay offers shows only when a worker connects to it."""
    if is_public_http:
        says = (
            "links in letters are not encrypted, and mail programs will show no unsubscribe button. Set up HTTPS and "
            "set NEWSLETTER_BASE_URL to the https: address (RFC 8058 section 3.1)"
        )
        yield wrong("base-url", base_url, says)
    for relay in relays:
        if relay.requires_tls or relay.is_on_this_machine:
            continue
        seen = "letters and the password" if relay.user and relay.may_log_in_without_tls else "letters"
        says = f"{seen} can be read on the way if it offers no TLS: NEWSLETTER_SMTP_URL says tls=optional"
        yield advice("tls", relay.endpoint, says)
