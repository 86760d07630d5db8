"""The large mailbox providers: domains whose mailboxes belong to many millions of unrelated people.

No limit per recipient domain applies to them: a hundred letters an hour to one of them tell nothing about a flood. The
limits of each inbox, of networks and of all letters apply as to any other. A domain belongs here if its provider gives
mailboxes there to the public and has many millions of users, or is the mail service of a country's large network.
"""

_BY_PROVIDER = {
    "Google": "gmail.com googlemail.com",
    "Microsoft": """
        outlook.com hotmail.com live.com msn.com passport.com windowslive.com
        outlook.at outlook.be outlook.cl outlook.co.id outlook.co.il outlook.co.th outlook.com.ar outlook.com.au
        outlook.com.br outlook.com.gr outlook.com.pe outlook.com.tr outlook.com.vn outlook.cz outlook.de outlook.dk
        outlook.es outlook.fr outlook.hu outlook.ie outlook.in outlook.it outlook.jp outlook.kr outlook.lv outlook.my
        outlook.ph outlook.pt outlook.sa outlook.sg outlook.sk
        hotmail.at hotmail.be hotmail.ca hotmail.ch hotmail.cl hotmail.co.id hotmail.co.il hotmail.co.in hotmail.co.jp
        hotmail.co.kr hotmail.co.nz hotmail.co.th hotmail.co.uk hotmail.co.za hotmail.com.ar hotmail.com.au
        hotmail.com.br hotmail.com.mx hotmail.com.tr hotmail.cz hotmail.de hotmail.dk hotmail.es hotmail.fi hotmail.fr
        hotmail.gr hotmail.hu hotmail.it hotmail.nl hotmail.no hotmail.rs hotmail.se hotmail.sg
        live.at live.be live.ca live.ch live.cl live.cn live.co.uk live.co.za live.com.ar live.com.au live.com.mx
        live.com.my live.com.pt live.com.sg live.de live.dk live.fi live.fr live.hk live.ie live.in live.it live.jp
        live.nl live.no live.ru live.se
    """,
    "Yahoo": """
        yahoo.com ymail.com rocketmail.com myyahoo.com y7mail.com
        yahoo.at yahoo.be yahoo.bg yahoo.ca yahoo.ch yahoo.cl yahoo.co.id yahoo.co.il yahoo.co.in yahoo.co.jp
        yahoo.co.kr yahoo.co.nz yahoo.co.th yahoo.co.uk yahoo.co.za yahoo.com.ar yahoo.com.au yahoo.com.br yahoo.com.co
        yahoo.com.hk yahoo.com.hr yahoo.com.mx yahoo.com.my yahoo.com.pe yahoo.com.ph yahoo.com.sg yahoo.com.tr
        yahoo.com.tw yahoo.com.ua yahoo.com.ve yahoo.com.vn yahoo.cz yahoo.de yahoo.dk yahoo.ee yahoo.es yahoo.fi
        yahoo.fr yahoo.gr yahoo.hu yahoo.ie yahoo.in yahoo.it yahoo.lt yahoo.lv yahoo.nl yahoo.no yahoo.pl yahoo.pt
        yahoo.ro yahoo.se yahoo.sk
    """,
    "AOL": """
        aol.com aim.com aol.at aol.be aol.ch aol.co.nz aol.co.uk aol.com.ar aol.com.au aol.com.br aol.com.co aol.com.mx
        aol.com.tr aol.cz aol.de aol.dk aol.es aol.fi aol.fr aol.in aol.it aol.jp aol.kr aol.nl aol.pl aol.ru aol.se
        aol.tw netscape.net
    """,
    "Apple": "icloud.com me.com mac.com",
    "Proton": "proton.me protonmail.com protonmail.ch pm.me",
    "Fastmail": "fastmail.com fastmail.fm",
    "Tuta": "tuta.com tutanota.com tutanota.de tutamail.com tuta.io keemail.me",
    "Zoho": "zoho.com zohomail.com zoho.eu zohomail.eu zohomail.in",
    "United Internet": """
        gmx.net gmx.de gmx.at gmx.ch gmx.com gmx.us gmx.co.uk gmx.fr gmx.es gmx.eu gmx.info gmx.org gmx.biz web.de
        mail.com email.com 1und1.de online.de caramail.com
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

MAILBOX_PROVIDERS = frozenset(domain for domains in _BY_PROVIDER.values() for domain in domains.split())
