"""What the accessibility statement says by itself: the measure, the tests, what is known to be missing, a contact."""

from collections.abc import Iterator

from newsletter.languages.translatable import Translatable, translatable
from newsletter.legal_pages.page_sections import PageSection
from newsletter.newsletters import Newsletter

TITLE = translatable("Accessibility statement")
DESCRIPTION = translatable(
    "How these pages and letters are made for everybody, how that is tested, and what is missing."
)


def headline(_: Newsletter) -> Translatable:
    """Return what the page says in one sentence."""
    return translatable("These pages are made for everybody")


def sections(newsletter: Newsletter) -> Iterator[PageSection]:
    """Yield each heading with what stands under it."""
    measure = translatable(
        "The sign-up pages, the archive, the pages behind the links in our letters and the letters themselves are made "
        "to meet the Web Content Accessibility Guidelines (WCAG) 2.2, level AA."
    )
    tests = [
        translatable("with the rules of the guidelines that a program can check"),
        translatable("on narrow screens, and with text of twice its size"),
        translatable("on light and on dark ground"),
        translatable("with the keyboard alone, and without JavaScript"),
        translatable("in languages that are written from left to right and from right to left"),
    ]
    missing = [
        translatable(
            "Headlines, summaries and pictures of articles come from their publishers. A picture may lack a "
            "description, and a text may be in another language than it says."
        ),
        translatable("Programs do not find every obstacle, and nobody independent has examined these pages yet."),
    ]
    contact = translatable(
        "Is something in your way? Write to %(reply_to)s, and say which page or letter it is.",
        reply_to=newsletter.reply_to,
    )
    yield PageSection(translatable("What we keep to"), [measure])
    yield PageSection(
        translatable("How it is tested"),
        [translatable("Programs test every page in a browser before each new version:"), tests],
    )
    yield PageSection(translatable("What is missing"), [missing])
    yield PageSection(translatable("Tell us"), [contact])
