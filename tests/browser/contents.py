"""Newsletters in three languages with what they send: each with a picture, a long word and text in another script."""

from hashlib import sha256
from pathlib import Path

from sqlalchemy import update
from sqlalchemy.orm import Session

import newsletter
from newsletter.content.articles.articles import Article
from newsletter.content.articles.picture_files import Picture
from newsletter.content.digests import digests
from newsletter.newsletters import Newsletter
from tests.clock import NOON
from tests.content.builders import a_feed, an_entry, store

PICTURE = Path(newsletter.__file__).parent / "sample" / "pictures" / "river-bend.png"

NEWSLETTERS = {
    "en": {
        "slug": "paper",
        "name": "Paper and Clocks",
        "description": "How letters, clocks and bridges work.",
        "publisher": "Example Press",
        "postal_address": "1 Street, 00000 Town",
    },
    "ar": {
        "slug": "waraq",
        "name": "ورق وساعات",
        "description": "كيف تعمل الرسائل والساعات والجسور.",
        "publisher": "دار المثال",
        "postal_address": "شارع المثال 1، مدينة المثال",
        "brand": "#ffd400",
    },
    "ja": {
        "slug": "kami",
        "name": "紙と時計",
        "description": "手紙と時計と橋のしくみ。",
        "publisher": "見本社",
        "postal_address": "見本市一丁目1番",
        "brand": "#7a1fa2",
    },
}
CONSENT = {  # a publisher's own words
    "en": "Please send me this newsletter by e-mail. I can stop this at any time.",
    "ar": "أرجو إرسال هذه النشرة إلى بريدي الإلكتروني. ويمكنني إيقافها في أي وقت.",
    "ja": "このニュースレターをメールで送ってください。いつでもやめられます。",
}
ARTICLES = {
    "en": [
        ("The bends of a river travel", "In a bend the water on the outside has the longer way and runs faster. " * 3),
        ("Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch", "The sign of the station is five metres long."),
        ("جسر جديد", "نص عربي في رسالة إنجليزية."),
    ],
    "ar": [
        ("منعطفات النهر تتحرك", "في المنعطف تسلك المياه الخارجية طريقا أطول وتجري أسرع. " * 3),
        ("Grundstücksverkehrsgenehmigungszuständigkeitsübertragungsverordnung", "كلمة ألمانية من سبعة وستين حرفا."),
        ("Every lighthouse has a rhythm (and a name)", "English text in an Arabic letter."),
    ],
    "ja": [
        ("川の曲がりは動く", "曲がりでは外側の水が長い道を速く流れる。" * 4),
        ("橋が開く", "古い橋脚は図面より丈夫だった。"),
    ],
}


def schedule_issue(session: Session, written: Newsletter) -> None:
    """Store the language's articles, one with a picture, and a digest that sends them at noon."""
    entries = [
        an_entry(f"{written.slug}{number}", title=title, summary=text, html=f"<p>{text}</p>")
        for number, (title, text) in enumerate(ARTICLES[written.language])
    ]
    feed = a_feed(session, written, written.slug)
    store(session, feed, *entries, now=NOON)
    picture = _picture(session)
    session.execute(update(Article).where(Article.feed_id == feed.id).values(picture_sha256=picture))
    digests.add(session, written, name="daily", cron="0 12 * * *", automatic=True, actor="tests", now=NOON)


def _picture(session: Session) -> str:
    body = PICTURE.read_bytes()
    digest = sha256(body).hexdigest()
    if session.get(Picture, digest) is None:
        session.add(Picture(sha256=digest, type="image/png", width=1104, height=620, body=body, found_at=NOON))
        session.flush()
    return digest
