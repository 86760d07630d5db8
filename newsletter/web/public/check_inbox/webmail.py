"""Where well-known mailbox providers show their letters, for a button that leads a visitor there.

Each address is the provider's own entrance, which leads to the inbox or to its sign-in. A provider without one that has
been stable for years is left out: then the page has no button.
"""

from functools import lru_cache
from typing import NamedTuple

from newsletter.consent.limits import mailbox_providers


class Webmail(NamedTuple):
    """A provider's pages for reading mail."""

    name: str
    url: str


# By the provider's name in `mailbox_providers`, for all of its domains.
BY_PROVIDER = {
    "Google": Webmail("Gmail", "https://mail.google.com/"),
    "Microsoft": Webmail("Outlook", "https://outlook.live.com/mail/"),
    "Yahoo": Webmail("Yahoo Mail", "https://mail.yahoo.com/"),
    "AOL": Webmail("AOL Mail", "https://mail.aol.com/"),
    "Apple": Webmail("iCloud Mail", "https://www.icloud.com/mail"),
    "Proton": Webmail("Proton Mail", "https://mail.proton.me/"),
    "Fastmail": Webmail("Fastmail", "https://app.fastmail.com/"),
    "Tuta": Webmail("Tuta", "https://app.tuta.com/"),
    "Zoho": Webmail("Zoho Mail", "https://mail.zoho.com/"),
}

_BY_ENTRANCE = {
    ("GMX", "https://www.gmx.net/"): "gmx.net gmx.de gmx.info gmx.org gmx.biz gmx.eu",
    ("GMX", "https://www.gmx.at/"): "gmx.at",
    ("GMX", "https://www.gmx.ch/"): "gmx.ch",
    ("GMX", "https://www.gmx.com/"): "gmx.com gmx.us gmx.co.uk",
    ("GMX", "https://www.gmx.fr/"): "gmx.fr",
    ("WEB.DE", "https://web.de/"): "web.de",
    ("mail.com", "https://www.mail.com/"): "mail.com email.com",
    ("T-Online", "https://email.t-online.de/"): "t-online.de magenta.de",
    ("freenet Mail", "https://webmail.freenet.de/"): "freenet.de",
    ("Posteo", "https://posteo.de/"): "posteo.de",
    ("mailbox.org", "https://mailbox.org/"): "mailbox.org",
    ("Orange", "https://messagerie.orange.fr/"): "orange.fr wanadoo.fr",
    ("Zimbra Free", "https://webmail.free.fr/"): "free.fr",
    ("SFR Mail", "https://webmail.sfr.fr/"): "sfr.fr neuf.fr cegetel.net club-internet.fr numericable.fr",
    ("laposte.net", "https://www.laposte.net/"): "laposte.net",
    ("Libero Mail", "https://mail.libero.it/"): "libero.it inwind.it iol.it",
    ("Virgilio Mail", "https://mail.virgilio.it/"): "virgilio.it",
    ("Tiscali Mail", "https://mail.tiscali.it/"): "tiscali.it",
    ("Poczta WP", "https://poczta.wp.pl/"): "wp.pl",
    ("Poczta o2", "https://poczta.o2.pl/"): "o2.pl tlen.pl",
    ("Poczta Onet", "https://poczta.onet.pl/"): "onet.pl onet.eu op.pl vp.pl poczta.onet.pl",
    ("Poczta Interia", "https://poczta.interia.pl/"): "interia.pl interia.eu",
    ("Seznam Email", "https://email.seznam.cz/"): "seznam.cz email.cz post.cz",
    ("UOL Mail", "https://email.uol.com.br/"): "uol.com.br",
    ("SAPO Mail", "https://mail.sapo.pt/"): "sapo.pt",
    ("Yahoo! メール", "https://mail.yahoo.co.jp/"): "yahoo.co.jp",
    ("Naver", "https://mail.naver.com/"): "naver.com",
    ("QQ Mail", "https://mail.qq.com/"): "qq.com foxmail.com vip.qq.com",
    ("NetEase Mail", "https://mail.163.com/"): "163.com",
}

BY_DOMAIN = {domain: Webmail(*entrance) for entrance, domains in _BY_ENTRANCE.items() for domain in domains.split()}


@lru_cache(maxsize=4096)  # most visitors have the domain of one before
def of(domain: str) -> Webmail | None:
    """Return the webmail of a domain, as in `Address.key`; None if it is no well-known provider's."""
    return BY_DOMAIN.get(domain) or BY_PROVIDER.get(mailbox_providers.provider(domain))
