"""Legal pages that no publisher has written: what they are called, and their texts in any language."""

from collections.abc import Callable
from typing import NamedTuple

from newsletter.consent.wordings.proposed_words import Information
from newsletter.languages.languages import Language
from newsletter.languages.translatable import Translatable
from newsletter.legal_pages import accessibility_statement, imprint, page_sections, privacy_notice
from newsletter.legal_pages.page_texts import LegalPage
from newsletter.newsletters import Newsletter


class PageNames(NamedTuple):
    """What a page is called by its kind, in a sentence if the text is generated, and by search engines."""

    title: Translatable
    headline: Callable[[Newsletter], Translatable]
    description: Translatable


NAMES = {
    LegalPage.PRIVACY: PageNames(privacy_notice.TITLE, privacy_notice.headline, privacy_notice.DESCRIPTION),
    LegalPage.IMPRINT: PageNames(imprint.TITLE, imprint.headline, imprint.DESCRIPTION),
    LegalPage.ACCESSIBILITY: PageNames(
        accessibility_statement.TITLE, accessibility_statement.headline, accessibility_statement.DESCRIPTION
    ),
}


def generated(
    page: LegalPage, newsletter: Newsletter, spoken: Language, *, information: Information | None = None
) -> str:
    """Return the text of a page, as `marked_text.read` reads it and as a publisher may edit it.

    `information` is what the newsletter's form tells beside the consent text. The privacy notice tells the same if it
    is the publisher's own and in this language.
    """
    match page:
        case LegalPage.PRIVACY:
            is_own = information and information.get("own") and information["language"] == spoken.tag
            sections = privacy_notice.sections(newsletter, information if is_own else None)
        case LegalPage.IMPRINT:
            sections = imprint.sections(newsletter)
        case LegalPage.ACCESSIBILITY:
            sections = accessibility_statement.sections(newsletter)
    return page_sections.written(sections, spoken)
