"""What the demo publishes: a newsletter with readers and articles, in each language that has a sample."""

from dataclasses import dataclass
from pathlib import Path

import newsletter
from newsletter.errors import Refused
from newsletter.languages.catalogues import DEFAULT

FOLDER = Path(newsletter.__file__).parent / "sample"
PSEUDO = "en-XA"  # shows the words that no catalogue translates: all others are accented and in brackets


@dataclass(frozen=True)
class Sample:
    """A newsletter in one language, the feed of its articles, and the names of those who sign up."""

    feed: Path
    slug: str
    name: str
    publisher: str
    description: str
    postal_address: str
    zone: str
    names: tuple[str, ...]


SAMPLES = {
    "en": Sample(
        FOLDER / "feed.xml",
        slug="paper-and-clocks",
        name="Paper and Clocks",
        publisher="The Demo Press",
        description="How letters, clocks and bridges work. Twelve short articles, whenever there are enough.",
        postal_address="1 Example Street, 00000 Exampleton",
        zone="UTC",
        names=("Ana", "Jürgen", "Łucja", "Дарья", "小雪", "O'Neill", "", "José María", "Anne-Sophie", "Λευκή"),
    ),
    "de": Sample(
        FOLDER / "feed.de.xml",
        slug="papier-und-uhren",
        name="Papier und Uhren",
        publisher="Der Beispielverlag",
        description="Wie Briefe, Uhren und Brücken funktionieren. Zwölf kurze Texte, sobald genug beisammen sind.",
        postal_address="Musterstraße 1, 00000 Musterstadt",
        zone="Europe/Berlin",
        names=("Anna", "Jürgen", "Käthe", "Łucja", "", "Zoë", "Hans-Georg", "Дарья", "Groß", "小雪"),
    ),
    "ar": Sample(
        FOLDER / "feed.ar.xml",
        slug="waraq-wa-saat",
        name="ورق وساعات",
        publisher="دار المثال",
        description="كيف تعمل الرسائل والساعات والجسور. اثنا عشر نصًّا قصيرًا كلما اكتمل عددها.",
        postal_address="شارع المثال 1، 00000 مدينة المثال",
        zone="Africa/Cairo",
        names=("ليلى", "يوسف", "آمنة", "", "عبد الرحمن", "Ana (أنا)", "Jürgen", "נועה", "小雪", "أ. ب. المثال"),
    ),
}


def sample_in(language: str) -> Sample:
    """Return the sample of this language. Raises Refused, which names the languages, if there is none."""
    found = SAMPLES[DEFAULT] if language == PSEUDO else SAMPLES.get(language)
    if found is None:
        raise Refused(f"There is no sample in “{language}”. The demo knows {', '.join(SAMPLES)} and {PSEUDO}.")
    return found
