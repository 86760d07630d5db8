"""What a mistyped domain of an address was probably meant to be. It is asked, never enforced: the letter leaves anyway.

A domain that is one of the large providers' is never doubted. Others are compared with the best known ones, and an
ending that nobody can have, such as .con, is compared with those that people know.
"""

from functools import lru_cache

from newsletter.addresses import Address
from newsletter.consent.limits import mailbox_providers

# The domains that most visitors have. Each was chosen because it is common enough to be meant.
_COMMON = """
    gmail.com googlemail.com hotmail.com hotmail.de hotmail.fr hotmail.it hotmail.es hotmail.co.uk outlook.com
    outlook.de outlook.fr outlook.it outlook.es live.com live.de live.fr live.nl msn.com yahoo.com yahoo.de yahoo.fr
    yahoo.it yahoo.es yahoo.co.uk yahoo.co.jp yahoo.com.br ymail.com icloud.com aol.com gmx.de gmx.net gmx.at gmx.ch
    gmx.com web.de t-online.de freenet.de posteo.de mailbox.org proton.me protonmail.com orange.fr wanadoo.fr
    laposte.net free.fr sfr.fr libero.it virgilio.it tiscali.it interia.pl onet.pl wp.pl o2.pl ziggo.nl telenet.be
    bluewin.ch telia.com uol.com.br terra.com.br bol.com.br comcast.net btinternet.com
"""
COMMON = frozenset(_COMMON.split())
_IN_ORDER = sorted(COMMON)

# Providers with a single domain: with whatever ending somebody remembers it, this one is meant.
ONLY_DOMAIN = {"gmail": "gmail.com", "googlemail": "googlemail.com", "icloud": "icloud.com", "t-online": "t-online.de"}

# Endings that are no top-level domain, or nobody's mail, and the one that a finger was looking for.
ENDINGS = {
    wrong: right
    for right, mistyped in {
        "com": "con cmo ocm omc comm coom ccom vom xom cim clm cpm coma come comn cok como comcom",
        "net": "nte ent nett nrt met nt",
        "org": "ogr rog orgg ort og irg",
        "de": "ed dee d deu dr ded",
        "fr": "rf frr ft fre fer",
        "it": "ti itt i",
        "es": "ess",
        "at": "ta att",
        "nl": "ln nll",
        "pl": "lp pll",
        "co.uk": "couk co.ku co.uj c.uk",
        "com.br": "combr com.rb",
    }.items()
    for wrong in mistyped.split()
}
# Endings that exist. They are doubted only if a common domain comes out: .co, .cm and .om are bought for that mistake.
REAL_ENDINGS = {"bet": "net", "co": "com", "cm": "com", "om": "com", "ne": "net", "com.be": "com.br"}

SHORT_CHARACTERS = 8  # of a domain; a shorter one has too many neighbors that are somebody's


def suggestion(address: Address) -> str | None:
    """Return the address that was probably meant, with the local part as it was written; None if none was."""
    domain = suggested_domain(address.key.rpartition("@")[2])
    return f"{address.written.rpartition('@')[0]}@{domain}" if domain else None


@lru_cache(maxsize=4096)  # most visitors have the domain of one before
def suggested_domain(domain: str) -> str | None:
    """Return the domain that was probably meant instead of this one, as in `Address.key`. Asked again, it is None."""
    if domain in COMMON or domain in mailbox_providers.MAILBOX_PROVIDERS:
        return None
    mended = _with_right_ending(domain)
    if mended in COMMON:
        return mended
    if only := ONLY_DOMAIN.get(domain.partition(".")[0]):
        return only
    if mailbox_providers.is_large(domain):  # a provider's domain for another country
        return None
    near = next((known for known in _IN_ORDER if _is_near(mended, known)), None)
    return near or (mended if mended != domain else None)


def _with_right_ending(domain: str) -> str:
    """Return the domain with the ending that was meant, or as it is."""
    for before, ending in (_halves(domain.partition(".")), _halves(domain.rpartition("."))):
        mended = f"{before}.{ENDINGS.get(ending) or REAL_ENDINGS.get(ending)}"
        if ending in ENDINGS or mended in COMMON:
            return mended
    return domain


def _halves(parts: tuple[str, str, str]) -> tuple[str, str]:
    return parts[0], parts[2]


def _is_near(written: str, known: str) -> bool:
    """Return whether one slip leads from the known domain to what was written.

    A slip is two letters exchanged, one doubled, one missing, one too many or one beside. In short domains, only the
    first two are slips.
    """
    if written == known or abs(len(written) - len(known)) > 1:
        return False
    start = next((at for at, pair in enumerate(zip(written, known, strict=False)) if pair[0] != pair[1]), len(known))
    rest, wanted = written[start:], known[start:]
    if rest[:2] == wanted[1::-1] and rest[2:] == wanted[2:]:
        return True
    if rest[1:] == wanted:  # one too many
        is_doubled = start > 0 and written[start] == written[start - 1]
        return is_doubled or len(known) >= SHORT_CHARACTERS
    return len(known) >= SHORT_CHARACTERS and wanted[1:] in (rest, rest[1:])
