"""Sign-up forms and the words of the confirm page as HTML, in the language of their wording."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from markupsafe import Markup

from newsletter.newsletters import Newsletter
from newsletter.templating import Templates

PASTED_PREFIX = "newsletter-"  # of ids, which must be unique in a page that we do not know


class ShownWords(Protocol):
    """What a form shows of a wording."""

    @property
    def language(self) -> str:
        """The language of the text, and of the form around it."""
        ...

    @property
    def text(self) -> str:
        """The consent text."""
        ...

    @property
    def information(self) -> dict[str, Any] | None:
        """What GDPR Art. 13 asks to tell."""
        ...


class AboveForm(Protocol):
    """What stands above the form in the box on the publisher's page."""

    @property
    def title(self) -> str:
        """A line, which says what the box is for."""
        ...

    @property
    def text(self) -> str:
        """A sentence or two, or nothing."""
        ...

    @property
    def language(self) -> str:
        """The language of both."""
        ...


class Entered(NamedTuple):
    """What a visitor has entered in a form, to be shown again, and what is wrong with it."""

    email: str = ""
    name: str = ""
    newsletters: Collection[str] = ()  # the slugs that were ticked
    errors: Mapping[str, str] = {}
    replaces: str = ""  # the sign-up that the form corrects, as `replacements` names it


NOTHING = Entered()


def exhibit(templates: Templates, words: ShownWords, offered: Sequence[Newsletter], *, prefix: str = "") -> str:
    """Return the visible part of an empty form: what proves that these words were shown."""
    return _rendered(templates, "_signup_form", words, offered, NOTHING, prefix=prefix)


def hosted(
    templates: Templates,
    words: ShownWords,
    offered: Sequence[Newsletter],
    *,
    wording: int,
    form: int | str,
    entered: Entered = NOTHING,
    root: str = "",
    path: str = "/subscribe",
    shown_at: str = "",
    asks_for_work: bool = False,
) -> Markup:
    """Return a form of our own pages, which names itself by `form`. It contains its exhibit if nothing is entered.

    `root` is the path under which the site lives, `path` the one below it to which the form is posted, `shown_at` the
    signed time of the form, and `asks_for_work` whether the browser may solve a proof of work.
    """
    context: dict[str, object] = {"wording_id": wording, "form": form, "root": root, "path": path}
    context |= {"shown_at": shown_at, "asks_for_work": asks_for_work}
    return Markup(_rendered(templates, "_hosted_form", words, offered, entered, **context))  # noqa: S704 - a template


def pasted(
    templates: Templates, words: ShownWords, offered: Sequence[Newsletter], *, wording: int, form: int, base_url: str
) -> str:
    """Return a form for a page of the publisher's own."""
    where = {"wording_id": wording, "form": form, "action": f"{base_url}/subscribe", "prefix": PASTED_PREFIX}
    return _rendered(templates, "_pasted_form", words, offered, NOTHING, **where)


def box(templates: Templates, words: ShownWords, offered: Sequence[Newsletter], above: AboveForm) -> str:
    """Return what the box on the publisher's page shows of a form. It is the exhibit; the rest stands around it."""
    return _rendered(templates, "_box", words, offered, NOTHING, above=above)


def confirm_words(templates: Templates, *, language: str, text: str) -> Markup:
    """Return the part of the confirm page that shows the wording, with the button. It is an exhibit."""
    template = templates(language).get_template("pages/_confirm_words.html")
    return Markup(template.render(wording={"language": language, "text": text}))  # noqa: S704 - a template


def _rendered(
    templates: Templates,
    name: str,
    words: ShownWords,
    offered: Sequence[Newsletter],
    entered: Entered,
    **context: object,
) -> str:
    is_choice = len(offered) > 1
    values = {
        "email": entered.email,
        "name": entered.name,
        "newsletters": entered.newsletters,
        "replaces": entered.replaces,
    }
    return (
        templates(words.language)
        .get_template(f"pages/{name}.html")
        .render(
            {
                "wording": words,
                "offered": offered if is_choice else [],
                "slug": None if is_choice else offered[0].slug,
                "prefix": "",
                "values": values,
                "errors": entered.errors,
                **context,
            }
        )
    )
