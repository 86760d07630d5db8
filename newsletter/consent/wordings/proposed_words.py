"""Words that the catalogues propose for a sign-up form: the consent text, and the information of GDPR Art. 13.

Nothing here takes effect by itself: an operator publishes the proposal, or other words. There is no proposal in a
language without a catalogue, and none that is only half translated.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from newsletter.consent.link_lifetime import LINK_HOURS
from newsletter.consent.wordings.wordings import on_one_line
from newsletter.languages import catalogues, tags
from newsletter.languages.languages import ENGLISH, Language, language
from newsletter.languages.translatable import Translatable, translatable, translatable_plural
from newsletter.newsletters import Newsletter

Information = dict[str, Any]  # {"language": tag, "entries": [[term, text], ...]}


def consent_text(offered: Sequence[Newsletter], tag: str) -> str | None:
    """Return a text that names publisher, purpose and how to stop (GDPR Art. 4(11), 7(3); CASL s. 10(1)).

    Of several newsletters, it is about those ticked above it, and needs them to have one publisher. None if there is no
    proposal in this language.
    """
    text = consent_to(offered)
    spoken = _speaking(tag, [text])
    return on_one_line(spoken.text(text)) if spoken else None


def consent_to(offered: Sequence[Newsletter]) -> Translatable:
    """Return the proposed consent text, to be translated."""
    first = offered[0]
    named = {"publisher": first.publisher, "postal_address": first.postal_address, "reply_to": first.reply_to}
    if len(offered) > 1:
        return translatable(
            "I ask %(publisher)s (%(postal_address)s) to send the newsletters ticked above to my e-mail address. I can "
            "stop each of them at any time, free of charge and without giving a reason: with the link in every letter, "
            "or by writing to %(reply_to)s.",
            **named,
        )
    return translatable(
        "I ask %(publisher)s (%(postal_address)s) to send the newsletter “%(name)s” to my e-mail address. I can stop "
        "this at any time, free of charge and without giving a reason: with the link in every letter, or by writing to "
        "%(reply_to)s.",
        name=first.name,
        **named,
    )


def information(offered: Sequence[Newsletter], tag: str) -> Information:
    """Return the information in this language, or in English if there is no proposal in it; it names its language."""
    proposed = entries(offered)
    spoken = _speaking(tag, (text for entry in proposed for text in entry)) or ENGLISH
    told = [[on_one_line(spoken.text(text)) for text in entry] for entry in proposed]
    return {"language": spoken.tag, "entries": told}


def exists(tag: str) -> bool:
    """Return whether there may be a proposal: whether a catalogue speaks this language."""
    return tags.lookup([tag], catalogues.LANGUAGES) is not None


def _speaking(tag: str, texts: Iterable[Translatable]) -> Language | None:
    """Return the language, if its catalogue has all of these texts."""
    if not exists(tag):
        return None
    spoken = language(tag)
    is_english = tags.primary(tag) == catalogues.DEFAULT
    return spoken if is_english or all(map(spoken.translates, texts)) else None


def entries(offered: Sequence[Newsletter]) -> list[tuple[Translatable, Translatable]]:
    """Return the terms of the information with their texts, to be translated; the privacy notice has the same."""
    first = offered[0]
    purpose = (
        translatable("Sending you the newsletters that you tick, with your consent (Art. 6(1)(a) GDPR).")
        if len(offered) > 1
        else translatable("Sending you %(name)s, with your consent (Art. 6(1)(a) GDPR).", name=first.name)
    )
    return [
        (
            translatable("Responsible"),
            translatable(
                "%(publisher)s, %(postal_address)s. Write to %(reply_to)s.",
                publisher=first.publisher,
                postal_address=first.postal_address,
                reply_to=first.reply_to,
            ),
        ),
        (translatable("Purpose and basis"), purpose),
        (
            translatable("Who else sees it"),
            translatable("Only the companies that carry our mail for us, under contract and for nothing else."),
        ),
        (
            translatable("What is not measured"),
            translatable("We do not measure whether you open a letter, or which links in it you follow."),
        ),
        (
            translatable("How long it is kept"),
            translatable_plural(
                "Until you stop. If you do not confirm, we delete the address %(n)s hour after our letter. The proof "
                "that you agreed is kept until the end of the third year after you stop, and used for nothing else.",
                "Until you stop. If you do not confirm, we delete the address %(n)s hours after our letter. The proof "
                "that you agreed is kept until the end of the third year after you stop, and used for nothing else.",
                LINK_HOURS,
            ),
        ),
        (
            translatable("Your rights"),
            translatable(
                "You may see, correct, move or erase what we hold, restrict or object to its use, withdraw your "
                "consent at any time, and complain to the data protection authority. What was done before you "
                "withdraw stays lawful."
            ),
        ),
        (
            translatable("Must you give it?"),
            translatable("No. But without an address we cannot write to you."),
        ),
    ]
