"""Inboxes: which addresses are spellings of one inbox, as the large mailbox providers document it.

Limits and "never write to me" are about inboxes. Letters always go to the address as it was typed, and
`address_key` never folds. A wrong rule would make two people one, so a provider is listed only for what it documents.
Microsoft's, Zoho's and Mail.ru's addresses need nothing beside the +tag of any domain; for GMX, WEB.DE and Tuta no
other spelling is documented. What dots mean in a Google Workspace domain is for its owner to say, so they stay there.
"""

from typing import NamedTuple

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


# Gmail help, "Dots don't matter in Gmail addresses"; "Create task-specific email addresses" (+tag); "Gmail or
# Googlemail".
GMAIL = SpellingRule("gmail.com", ignored=".")

# Apple support, "If you have an @mac.com or @me.com address" and iCloud Mail user guide (+tag).
ICLOUD = SpellingRule("icloud.com")

# Yahoo help, "Disposable addresses" (base name, hyphen, keyword); no account's name has a hyphen. Yahoo! JAPAN is
# another company.
YAHOO = SpellingRule(separators="+-")

# Proton support, "Changing my username" (the three characters are transparent) and "Email addresses and aliases".
PROTON = SpellingRule("proton.me", ignored=".-_")

# Yandex ID help, "Alternate email addresses" (one login on all of its domains) and "Login" (dots and hyphens are
# interchangeable).
YANDEX = SpellingRule("yandex.ru", same="-.")

# Fastmail help, "Plus addressing and subdomain addressing". Its blog, "Two address resolving additions": a host name
# has no underscore, so a hyphen stands for it there.
FASTMAIL = SpellingRule(tag_comes_first=True)

# RFC 5233 section 1 (a tag is a convention of each system; + is the usual sign). It holds for every domain.
ANY_DOMAIN = SpellingRule()

YAHOO_DOMAINS = """
myyahoo.com y7mail.com yahoo.at yahoo.be yahoo.bg yahoo.ca yahoo.cl yahoo.co.id yahoo.co.il yahoo.co.in yahoo.co.kr
yahoo.co.nz yahoo.co.th yahoo.co.uk yahoo.co.za yahoo.com yahoo.com.ar yahoo.com.au yahoo.com.br yahoo.com.co
yahoo.com.hk yahoo.com.hr yahoo.com.mx yahoo.com.my yahoo.com.pe yahoo.com.ph yahoo.com.sg yahoo.com.tr yahoo.com.tw
yahoo.com.ua yahoo.com.ve yahoo.com.vn yahoo.cz yahoo.de yahoo.dk yahoo.ee yahoo.es yahoo.fi yahoo.fr yahoo.gr yahoo.hu
yahoo.ie yahoo.in yahoo.it yahoo.lt yahoo.lv yahoo.nl yahoo.no yahoo.pl yahoo.pt yahoo.ro yahoo.se yahoo.sk ymail.com
"""
YANDEX_DOMAINS = "ya.ru yandex.by yandex.com yandex.com.tr yandex.kz yandex.ru yandex.ua yandex.uz"
FASTMAIL_DOMAINS = """
123mail.org 150mail.com 150ml.com 16mail.com 2-mail.com 4email.net 50mail.com airpost.net allmail.net bestmail.us
cluemail.com elitemail.org emailcorner.net emailengine.net emailengine.org emailgroups.net emailplus.org emailuser.net
eml.cc f-m.fm fast-email.com fast-mail.org fastem.com fastemail.us fastemailer.com fastest.cc fastimap.com fastmail.ca
fastmail.cn fastmail.co.uk fastmail.com fastmail.com.au fastmail.de fastmail.es fastmail.fm fastmail.fr fastmail.im
fastmail.in fastmail.jp fastmail.mx fastmail.net fastmail.nl fastmail.org fastmail.se fastmail.to fastmail.tw
fastmail.uk fastmail.us fastmailbox.net fastmessaging.com fea.st fmail.co.uk fmailbox.com fmgirl.com fmguy.com ftml.net
h-mail.us hailmail.net imap-mail.com imap.cc imapmail.org inoutbox.com internet-e-mail.com internet-mail.org
internetemails.net internetmailing.net jetemail.net justemail.net letterboxes.org mail-central.com mail-page.com
mailandftp.com mailas.com mailbolt.com mailc.net mailcan.com mailforce.net mailftp.com mailhaven.com mailingaddress.org
mailite.com mailmight.com mailnew.com mailsent.net mailservice.ms mailup.net mailworks.org ml1.net mm.st myfastmail.com
mymacmail.com nospammail.net ownmail.net petml.com postinbox.com postpro.net proinbox.com promessage.com realemail.net
reallyfast.biz reallyfast.info rushpost.com sent.as sent.at sent.com speedpost.net speedymail.org ssl-mail.com
swift-mail.com the-fastest.net the-quickest.com theinternetemail.com veryfast.biz veryspeedy.net warpmail.net
xsmail.com yepmail.net your-mail.com
"""

RULES = {
    **dict.fromkeys(("gmail.com", "googlemail.com"), GMAIL),
    **dict.fromkeys(("icloud.com", "me.com", "mac.com"), ICLOUD),
    **dict.fromkeys(("proton.me", "protonmail.com", "protonmail.ch", "pm.me"), PROTON),
    **dict.fromkeys(YAHOO_DOMAINS.split(), YAHOO),
    **dict.fromkeys(YANDEX_DOMAINS.split(), YANDEX),
    **dict.fromkeys(FASTMAIL_DOMAINS.split(), FASTMAIL),
}


def inbox(address_key: str) -> Inbox:
    """Return the inbox of an address, by its `Address.key`. Folding an inbox's key again changes nothing."""
    local, _, domain = address_key.rpartition("@")
    name, is_tagged = local, False
    first, _, rest = domain.partition(".")
    if RULES.get(rest, ANY_DOMAIN).tag_comes_first:
        name, domain, is_tagged = first.replace("-", "_"), rest, True
    rule = RULES.get(domain, ANY_DOMAIN)
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
