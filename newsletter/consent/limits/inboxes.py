"""Inboxes: which addresses are spellings of one inbox.

Limits and "never write to me" are about inboxes. Letters always go to the address as it was typed, and `address_key`
never folds. A wrong rule would make two people one, so a rule holds only what its provider documents, or what its
addresses are seen to do; each says which. In doubt, a domain is left out: then an inbox has more spellings than are
known, and each has limits of its own.

Microsoft's, Zoho's and Mail.ru's addresses need nothing beside the +tag of any domain; for GMX, WEB.DE and Tuta no
other spelling is documented. What dots mean in a Google Workspace domain is for its owner to say, so they stay there.
"""

from typing import NamedTuple

from newsletter.consent.limits import mailbox_providers
from newsletter.keys import Keyring, to_base64url

PURPOSE = "inbox"  # of the MACs


class Inbox(NamedTuple):
    """An inbox by one of its spellings."""

    key: str  # equal for all spellings; itself a spelling
    is_tagged: bool  # the spelling has a tag, which is a part of the name where the domain does not know tags


class SpellingRule(NamedTuple):
    """How a provider's addresses may be spelled, beside case."""

    domain: str = ""  # the one that stands for all of the provider's; "": each is a name space of its own
    ignored: str = ""  # characters that do not count
    same: str = ""  # characters that count as the first of them
    separators: str = "+"  # what stands before a tag
    tag_comes_first: bool = False  # tag@name.domain is name@domain


# Documented: Gmail help, "Dots don't matter in Gmail addresses", "Create task-specific email addresses" (+tag) and
# "Gmail or Googlemail".
GMAIL = SpellingRule("gmail.com", ignored=".")

# Documented: Apple support, "If you have an @mac.com or @me.com address"; iCloud Mail user guide (+tag).
ICLOUD = SpellingRule("icloud.com")

# Documented: Yahoo help, "Disposable addresses": a base name, a hyphen and a keyword. No account's name has a hyphen,
# so a rule for all its countries makes no two people one. Yahoo! JAPAN is another company.
YAHOO = SpellingRule(separators="+-")
YAHOO_JAPAN = "yahoo.co.jp"

# Documented: Proton support, "Addresses and aliases" (+tag; short domain). Observed, and told by its support: dots,
# hyphens and underscores do not count, and a name belongs to one account on all domains.
PROTON = SpellingRule("proton.me", ignored=".-_")

# Documented: Yandex ID help, "Alternate email addresses" (one login on all of its domains) and "Login" (dots and
# hyphens are interchangeable).
YANDEX_DOMAINS = (
    "ya.ru", "yandex.by", "yandex.com", "yandex.com.tr", "yandex.kz", "yandex.ru", "yandex.ua", "yandex.uz",
)  # fmt: skip
YANDEX = SpellingRule("yandex.ru", same="-.")

# Documented: Fastmail help, "Plus addressing and subdomain addressing"; its blog, "Two address resolving additions" (a
# host name has no underscore, so a hyphen stands for it there). A conservative choice: its best-known domains, out of
# more than a hundred. Each is a name space of its own.
FASTMAIL_DOMAINS = (
    "eml.cc", "fastmail.co.uk", "fastmail.com", "fastmail.fm", "fastmail.net", "fastmail.org", "sent.com",
)  # fmt: skip
FASTMAIL = SpellingRule(tag_comes_first=True)

# RFC 5233 section 1 (a tag is a convention of each system; + is the usual sign). It holds for every domain.
ANY_DOMAIN = SpellingRule()

RULES = {
    **dict.fromkeys(("gmail.com", "googlemail.com"), GMAIL),
    **dict.fromkeys(("icloud.com", "mac.com", "me.com"), ICLOUD),
    **dict.fromkeys(("pm.me", "proton.me", "protonmail.ch", "protonmail.com"), PROTON),
    **dict.fromkeys(("rocketmail.com", "ymail.com"), YAHOO),  # and the domains with its name
    **dict.fromkeys(YANDEX_DOMAINS, YANDEX),
    **dict.fromkeys(FASTMAIL_DOMAINS, FASTMAIL),
}


def rule_of(domain: str) -> SpellingRule:
    """Return how the addresses of a domain may be spelled."""
    is_yahoo = mailbox_providers.brand(domain) == "yahoo" and domain != YAHOO_JAPAN
    return YAHOO if is_yahoo else RULES.get(domain, ANY_DOMAIN)


def inbox(address_key: str) -> Inbox:
    """Return the inbox of an address, by its `Address.key`. Folding an inbox's key again changes nothing."""
    local, _, domain = address_key.rpartition("@")
    name, is_tagged = local, False
    first, _, rest = domain.partition(".")
    if rule_of(rest).tag_comes_first:
        name, domain, is_tagged = first.replace("-", "_"), rest, True
    rule = rule_of(domain)
    for separator in rule.separators:
        if kept := name.partition(separator)[0]:  # a name cannot be all tag
            is_tagged = is_tagged or kept != name
            name = kept
    name = "".join(character for character in name if character not in rule.ignored) or name
    for character in rule.same[1:]:
        name = name.replace(character, rule.same[0])
    return Inbox(f"{name}@{rule.domain or domain}", is_tagged)


def fold(keyring: Keyring, inbox_key: str, *, key: str | None = None) -> str:
    """Return `key-id:MAC` of an inbox, by which its letters are counted and it is suppressed.

    Only who has the key can tell whose inbox it is. Raises KeyError if the keyring has no such key.
    """
    name = key or keyring.newest
    return f"{name}:{to_base64url(keyring.mac(PURPOSE, inbox_key.encode(), key=name))}"


def folds(keyring: Keyring, address_key: str) -> list[str]:
    """Return the fold of an address's inbox under each key, the newest first."""
    return [fold(keyring, inbox(address_key).key, key=name) for name in keyring]
