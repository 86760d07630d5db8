"""The large mailbox providers: domains whose mailboxes belong to many millions of unrelated people.

No limit per recipient domain applies to them: a hundred letters an hour to one of them tell nothing about a flood. The
limits of each inbox, of networks and of all letters apply as to any other. A domain belongs here if its provider gives
mailboxes there to the public and has many millions of users, or is the mail service of a country's large network.

No register of such domains exists. These are well known, and the list need not be complete: at a provider that it does
not name, letters over the limit of its domain wait for their turn.
"""

import re

# Brands that have a domain of their own in many countries: `hotmail.com`, `hotmail.it`, `hotmail.co.uk`. If one
# of this form should belong to somebody else, it misses the limit of its domain and keeps all others.
_COUNTRY_DOMAIN = re.compile(r"(aol|gmx|hotmail|outlook|yahoo)\.(?:com|(?:com?\.)?[a-z]{2})")

_BY_PROVIDER = {
    "Google": "gmail.com googlemail.com",
    "Microsoft": """
        live.at live.be live.ca live.cl live.cn live.co.uk live.com live.com.au live.com.mx live.com.pt live.de live.dk
        live.fr live.ie live.in live.it live.jp live.nl live.no live.ru live.se msn.com passport.com windowslive.com
    """,
    "Yahoo": "rocketmail.com ymail.com",
    "AOL": "aim.com netscape.net",
    "Apple": "icloud.com me.com mac.com",
    "Proton": "proton.me protonmail.com protonmail.ch pm.me",
    "Fastmail": "fastmail.com fastmail.fm",
    "Tuta": "tuta.com tutanota.com tutanota.de tutamail.com tuta.io keemail.me",
    "Zoho": "zoho.com zohomail.com zoho.eu zohomail.eu zohomail.in",
    "United Internet": """
        gmx.net gmx.info gmx.org gmx.biz web.de mail.com email.com 1und1.de online.de caramail.com
    """,
    "Germany": "t-online.de magenta.de freenet.de arcor.de vodafone.de vodafonemail.de posteo.de mailbox.org",
    "Switzerland and Austria": "bluewin.ch hispeed.ch sunrise.ch a1.net aon.at chello.at",
    "France": """
        orange.fr wanadoo.fr free.fr freesbee.fr sfr.fr neuf.fr cegetel.net club-internet.fr laposte.net bbox.fr
        numericable.fr voila.fr aliceadsl.fr
    """,
    "Belgium and the Netherlands": """
        skynet.be proximus.be telenet.be ziggo.nl kpnmail.nl kpnplanet.nl planet.nl hetnet.nl home.nl xs4all.nl
        upcmail.nl casema.nl quicknet.nl
    """,
    "Italy": "libero.it virgilio.it tiscali.it alice.it tim.it tin.it inwind.it iol.it fastwebnet.it",
    "Spain and Portugal": "telefonica.net movistar.es terra.es orange.es sapo.pt",
    "United Kingdom and Ireland": """
        btinternet.com btopenworld.com talktalk.net talk21.com sky.com virginmedia.com virgin.net ntlworld.com
        blueyonder.co.uk tiscali.co.uk eircom.net
    """,
    "Northern Europe": "telia.com comhem.se bredband.net online.no tele2.se luukku.com kolumbus.fi mail.dk tdcadsl.dk",
    "Central and eastern Europe": """
        wp.pl o2.pl onet.pl onet.eu op.pl vp.pl poczta.onet.pl interia.pl interia.eu gazeta.pl tlen.pl seznam.cz
        email.cz post.cz centrum.cz atlas.cz volny.cz centrum.sk azet.sk zoznam.sk freemail.hu citromail.hu t-online.hu
        abv.bg mail.bg inbox.lv inbox.lt ukr.net i.ua meta.ua
    """,
    "Russia": """
        mail.ru inbox.ru list.ru bk.ru internet.ru yandex.ru ya.ru yandex.com yandex.by yandex.kz yandex.ua yandex.uz
        yandex.com.tr rambler.ru lenta.ru
    """,
    "China": """
        qq.com foxmail.com vip.qq.com 163.com 126.com yeah.net vip.163.com 188.com sina.com sina.cn vip.sina.com
        sohu.com 139.com 189.cn wo.cn aliyun.com tom.com 21cn.com
    """,
    "Japan and Korea": """
        docomo.ne.jp ezweb.ne.jp au.com softbank.ne.jp i.softbank.jp nifty.com ocn.ne.jp biglobe.ne.jp so-net.ne.jp
        excite.co.jp naver.com daum.net hanmail.net kakao.com nate.com
    """,
    "India": "rediffmail.com",
    "United States": """
        comcast.net xfinity.com att.net sbcglobal.net bellsouth.net ameritech.net pacbell.net verizon.net cox.net
        charter.net spectrum.net roadrunner.com rr.com earthlink.net mindspring.com frontier.com frontiernet.net
        optonline.net optimum.net centurylink.net windstream.net juno.com netzero.net
    """,
    "Canada": "bell.net sympatico.ca rogers.com shaw.ca telus.net videotron.ca cogeco.ca",
    "Australia and New Zealand": "bigpond.com bigpond.net.au optusnet.com.au iinet.net.au xtra.co.nz",
    "Latin America": "uol.com.br bol.com.br terra.com.br ig.com.br globo.com prodigy.net.mx",
}

_PROVIDERS = {domain: provider for provider, domains in _BY_PROVIDER.items() for domain in domains.split()}
_OF_BRANDS = {"aol": "AOL", "gmx": "United Internet", "hotmail": "Microsoft", "outlook": "Microsoft", "yahoo": "Yahoo"}

MAILBOX_PROVIDERS = frozenset(_PROVIDERS)


def is_large(domain: str) -> bool:
    """Return whether a domain, as in `Address.key`, is a large mailbox provider's."""
    return domain in MAILBOX_PROVIDERS or bool(brand(domain))


def provider(domain: str) -> str:
    """Return the name of a large provider, or of the region that others are listed under; "" for any other domain."""
    return _PROVIDERS.get(domain) or _OF_BRANDS.get(brand(domain), "")


def brand(domain: str) -> str:
    """Return the brand of a provider's domain for a country or for all: `yahoo` for yahoo.co.uk. "" for any other."""
    found = _COUNTRY_DOMAIN.fullmatch(domain)
    return found[1] if found else ""
