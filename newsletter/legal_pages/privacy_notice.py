"""What the privacy notice says by itself (GDPR Art. 13), from the newsletter's settings and the periods of the code.

It begins with what the sign-up form tells, in the same words, and then tells more closely what is stored and why.
"""

from collections.abc import Iterator

from newsletter.consent.ledger.ledger import TRACE_LIFETIME
from newsletter.consent.wordings import proposed_words
from newsletter.consent.wordings.proposed_words import Information
from newsletter.languages.translatable import Translatable, translatable, translatable_plural
from newsletter.legal_pages.page_sections import PageSection
from newsletter.newsletters import Newsletter
from newsletter.privacy.retention import LINKS_AFTER_LEAVING

TITLE = translatable("Privacy notice")
DESCRIPTION = translatable("What we store about readers, what for and for how long, and what you can ask of us.")


def headline(_: Newsletter) -> Translatable:
    """Return what the page says in one sentence."""
    return translatable("We keep only what your letters need")


def sections(newsletter: Newsletter, information: Information | None = None) -> Iterator[PageSection]:
    """Yield each heading with what stands under it.

    `information` is the publisher's own beside the consent text; without it, the proposed one is told.
    """
    told = information["entries"] if information else proposed_words.entries([newsletter])
    yield from (PageSection(term, [text]) for term, text in told)
    yield PageSection(translatable("What we store"), [_stored(), *_kept_longer()])
    yield PageSection(
        translatable("Why we keep a proof"),
        [
            translatable(
                "The law asks us to be able to show that you agreed (Art. 7(1) GDPR). We keep IP addresses for a short "
                "time to protect you and us from misuse (Art. 6(1)(f) GDPR)."
            )
        ],
    )
    yield PageSection(
        translatable("Cookies and programs"),
        [
            translatable(
                "We set no cookies, so there is nothing to agree to. Articles that you save for later stay in your own "
                "browser; they are not sent to us."
            ),
            translatable("We build no profile of you, and no program decides anything about you."),
        ],
    )
    yield PageSection(
        translatable("How to use your rights"),
        [
            translatable(
                "Every letter has a link to stop it and a link to your preferences. There you can have a fresh link "
                "mailed to you: it shows what you get from us, and what we have recorded about your consent. For "
                "everything else, write to %(reply_to)s.",
                reply_to=newsletter.reply_to,
            )
        ],
    )


def _stored() -> list[Translatable]:
    return [
        translatable("Your address as you entered it, your name if you gave it, your language and your time zone."),
        translatable("Which newsletters you asked for, when you confirmed, and when you stopped."),
        translatable("The proof that you agreed: the words, the form, our letter and the page on which you confirmed."),
        translatable("Which letters we sent to you, and how your mail provider answered."),
        translatable_plural(
            "The IP address and the browser with which you signed up, confirmed or stopped. We delete both after "
            "%(n)s day.",
            "The IP address and the browser with which you signed up, confirmed or stopped. We delete both after "
            "%(n)s days.",
            TRACE_LIFETIME.days,
        ),
    ]


def _kept_longer() -> list[Translatable]:
    return [
        translatable_plural(
            "The links in the letter with which you confirmed work until %(n)s day after you stop. Then we delete "
            "what they need.",
            "The links in the letter with which you confirmed work until %(n)s days after you stop. Then we delete "
            "what they need.",
            LINKS_AFTER_LEAVING.days,
        ),
        translatable(
            "If you tell us never to write to you, we keep a code made from your address for good, by which we know it "
            "again (Art. 17(3)(b) and Art. 21(3) GDPR)."
        ),
    ]
