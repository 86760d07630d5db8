"""What the imprint says by itself: who publishes the newsletter, and how to reach them."""

from collections.abc import Iterator

from newsletter.languages.translatable import Translatable, translatable
from newsletter.legal_pages.page_sections import PageSection, Told
from newsletter.newsletters import Newsletter

TITLE = translatable("Imprint")
DESCRIPTION = translatable("Who publishes this newsletter, and how to reach them.")


def headline(newsletter: Newsletter) -> Translatable:
    """Return what the page says in one sentence."""
    named = {"publisher": newsletter.publisher, "newsletter": newsletter.name}
    return translatable("%(publisher)s publishes “%(newsletter)s”", **named)


def sections(newsletter: Newsletter) -> Iterator[PageSection]:
    """Yield each heading with what stands under it."""
    contact: list[Told] = [translatable("E-mail: %(address)s", address=newsletter.reply_to)]
    if newsletter.site_url:
        contact.append(translatable("Website: %(url)s", url=newsletter.site_url))
    yield PageSection(translatable("Publisher"), [f"{newsletter.publisher}\n{newsletter.postal_address}"])
    yield PageSection(translatable("Contact"), contact)
    yield PageSection(
        translatable("What this imprint is about"),
        [
            translatable(
                "The newsletter “%(newsletter)s”, its archive and its sign-up pages. The articles that its letters "
                "link to are those of their own publishers.",
                newsletter=newsletter.name,
            )
        ],
    )
