"""What `newsletter newsletters` tells about a change: its fields, the words that followed, and what is still to do."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from newsletter.consent.wordings import newsletter_changes, proposed_words
from newsletter.consent.wordings.newsletter_changes import NewsletterChange
from newsletter.newsletters import Newsletter

ABOUT_LANGUAGES = ("language", "other_languages")  # fields after which words may be missing


def as_json(
    newsletter: Newsletter, change: NewsletterChange, given: Iterable[str], missing: Sequence[str]
) -> dict[str, Any]:
    """Return what a change has done, for programs."""
    own = {each.language: each.version for each in change.published if each.newsletters is None}
    return {
        "slug": newsletter.slug,
        **{field: getattr(newsletter, field) for field in given},
        "changed": sorted(change.former),
        "wording_version": own.get(newsletter.language),
        "wording_versions": own,
        "still_named_by_wording": list(
            dict.fromkeys(field for named in change.still_named.values() for field in named)
        ),
        "languages_without_words": list(missing),
    }


def lines(
    newsletter: Newsletter, change: NewsletterChange, given: Iterable[str], missing: Sequence[str]
) -> Iterator[str]:
    """Yield what an operator should know after a change, a line for each fact."""
    given = list(given)
    if not change.former:
        yield f"“{newsletter.slug}” is like that already."
    for field, old in change.former.items():
        shown = field.removesuffix("_sha256").replace("_", "-")
        yield f"{shown}: {_told(getattr(newsletter, field))} (before: {_told(old)})"
    if "return_path_domain" in given:
        yield f"Bounces go to {_bounces_to(newsletter)}."
    if "reply_to" not in given and newsletter_changes.keeps_former_reply_address(newsletter, change.former):
        yield f"Replies still go to {newsletter.reply_to}. To change that, too: --reply-to"
    for each in change.published:
        about = "consent wording" if each.newsletters is None else "wording of the form of several newsletters"
        language = "" if each.language == newsletter.language else f" ({each.language})"
        yield f"Version {each.version} of the {about}{language} is published with it."
    for language, fields in change.still_named.items():
        yield from (_still_named(newsletter, language, str(change.former[field])) for field in fields)
    for each in change.apart:
        yield (
            f"The form of several newsletters ({each.language}) is shown no more: it names one publisher for all of "
            "them. Publish it again once they agree: newsletter forms publish"
        )
    if any(field in change.former for field in ABOUT_LANGUAGES):
        if withdrawn := newsletter_changes.withdrawn_languages(newsletter, change.former):
            yield f"It takes no new sign-ups in “{', '.join(withdrawn)}”; its readers keep their language. To offer it:"
            yield f"  {_offering(newsletter, withdrawn)}"
        yield from missing_lines(newsletter, missing)


def missing_lines(newsletter: Newsletter, missing: Iterable[str]) -> Iterator[str]:
    """Yield a line for each language in which a newsletter takes no sign-ups."""
    for tag in missing:
        closed = f"It takes no sign-ups in “{tag}” until you publish words of consent in it."
        if proposed_words.exists(tag):
            about = f"{newsletter.slug} --language {tag}"
            yield f"{closed} Read what is proposed, and publish it or your own:"
            yield f"  newsletter newsletters proposal {about}"
            yield f"  newsletter newsletters wording {about}"
        else:
            yield f"{closed} {no_proposal(newsletter, tag)}"


def no_proposal(newsletter: Newsletter, tag: str) -> str:
    """Return what to do about a language in which no words are proposed."""
    option = "" if tag == newsletter.language else f" --language {tag}"
    return (
        f"No catalogue proposes words in “{tag}”. Write your own: newsletter newsletters wording {newsletter.slug} "
        f"TEXT{option} --information FILE"
    )


def offer_line(newsletter: Newsletter, tag: str) -> str:
    """Return how to offer a further language beside those that a newsletter has."""
    return f"The newsletter does not offer “{tag}” yet: {_offering(newsletter, [tag])}"


def _offering(newsletter: Newsletter, others: Iterable[str]) -> str:
    listed = ",".join([*newsletter.languages[1:], *others])
    return f"newsletter newsletters change {newsletter.slug} --other-languages {listed}"


def _still_named(newsletter: Newsletter, language: str, former: str) -> str:
    option = "" if language == newsletter.language else f" --language {language}"
    return (
        f"The words of consent, or the information beside them, stay as they were and still name “{former}”. Publish "
        f"new ones: newsletter newsletters wording {newsletter.slug} TEXT{option}"
    )


def _bounces_to(newsletter: Newsletter) -> str:
    if domain := newsletter.return_path_domain:
        return f"an address at {domain} for each letter; its MX must be your mail server"
    return newsletter.sender


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return (", ".join(value) if isinstance(value, list) else value) or "none"
