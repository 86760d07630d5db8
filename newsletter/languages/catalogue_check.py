"""Find what is wrong with a catalogue: no reader ever meets a gap, a broken placeholder or a tag that a page lacks.

Messages reach pages without escaping and are formatted with `%`. So a translation may hold the placeholders and the
inline tags of its English text, and nothing else that means something in HTML or to the formatting.
"""

import re
import unicodedata
from collections.abc import Iterator

from babel.messages import Catalog
from babel.messages.catalog import Message

REVIEW = re.compile(r"^# Review: (draft|read by \S.*)$", re.MULTILINE)
UNTRANSLATED = "# Review: untranslated"  # a new language: its gaps are English until the translation is written

PLACEHOLDER = re.compile(r"%(?:%|\(([a-z_]+)\)s)")
TAG = re.compile(r"</?(?:b|br|em|i|strong)>")
COUNTS = {"n", "num"}  # a plural form for one number may spell it out: Arabic for two has no numeral
ENTITY = re.compile(r"&(?:amp|lt|gt|nbsp|shy);")
ADDRESS = re.compile(r"://|www\.|(?<=\w)@[A-Za-z0-9.-]*[A-Za-z0-9]")
FORMATS = {"\N{SOFT HYPHEN}", "\N{ZERO WIDTH NON-JOINER}", "\N{ZERO WIDTH JOINER}"}  # which spelling may need


def problems(catalogue: Catalog, template: Catalog) -> list[str]:
    """Return what keeps a catalogue from being compiled, each with the message; nothing if it may be."""
    header = catalogue.header_comment
    is_new = UNTRANSLATED in header
    found = [] if is_new or REVIEW.search(header) else ["the header does not name the state of its review"]
    expected = Catalog(locale=catalogue.locale)
    if catalogue.plural_forms != expected.plural_forms:
        found.append(f"Plural-Forms must be {expected.plural_forms}")
    wanted = {_key(message): message for message in template if message.id}
    given = {_key(message): message for message in catalogue if message.id}
    if not is_new:
        found += [f"{_named(key)}: no longer in the source" for key in given if key not in wanted]
    for key, message in wanted.items():
        translated = given.get(key)
        reasons = ["missing"] if translated is None else _of_message(translated, catalogue.num_plurals, message)
        if is_new and reasons in (["missing"], ["empty"]):
            continue
        found += [f"{_named(key)}: {reason}" for reason in reasons]
    return found


def problems_in_english(template: Catalog) -> list[str]:
    """Return what is wrong with the English texts, which must keep the same rules."""
    return [
        f"{_named(_key(message))}: {reason}"
        for message in template
        if message.id
        for text in _texts(message.id)
        for reason in _of_text(text, message)
    ]


def _of_message(translated: Message, plural_forms: int, message: Message) -> list[str]:
    texts = _texts(translated.string or "")
    if translated.fuzzy:
        return ["fuzzy, so somebody must confirm it"]
    if not any(texts):
        return ["empty"]
    forms = plural_forms if message.pluralizable else 1
    if len(texts) != forms or not all(texts):
        return [f"needs {forms} plural forms, none of them empty"]
    return [reason for text in texts for reason in _of_text(text, message)]


def _of_text(text: str, message: Message) -> Iterator[str]:
    """Yield what is wrong with a text, compared with the English one."""
    english = _texts(message.id)
    allowed = {name for each in english for name in _names(each)}
    required = set(_names(english[-1])) - (COUNTS if message.pluralizable else set())
    names = set(_names(text))
    yield from (f"lacks the placeholder %({name})s" for name in sorted(required - names))
    yield from (f"has the unknown placeholder %({name})s" for name in sorted(names - allowed))
    rest = PLACEHOLDER.sub("", text)
    if set(rest) & set("%{}"):
        yield f"a percent sign is %%, a placeholder %(name)s, and there are no braces: {text!r}"
    if sorted(TAG.findall(rest)) != sorted(TAG.findall(english[-1])) or not _is_nested(rest):
        yield f"has other tags than the English text: {text!r}"
    if set(ENTITY.sub("", TAG.sub("", rest))) & set('<>&"'):
        yield f"holds a character that means something in HTML: {text!r}"
    if ADDRESS.findall(text) != ADDRESS.findall(english[-1]):
        yield f"holds another web or e-mail address than the English text: {text!r}"
    if hidden := sorted({unicodedata.name(each, repr(each)) for each in text if _is_hidden(each)}):
        yield f"holds invisible characters: {', '.join(hidden)}"
    if text != text.strip() or "  " in text:
        yield f"has spaces too many: {text!r}"


def _is_nested(text: str) -> bool:
    opened: list[str] = []
    for tag in TAG.findall(text):
        if tag == "<br>":
            continue
        if not tag.startswith("</"):
            opened.append(tag.strip("<>"))
        elif not opened or opened.pop() != tag.strip("</>"):
            return False
    return not opened


def _is_hidden(character: str) -> bool:
    """Tell whether a character is a control character, such as one that turns the direction of the text."""
    return unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp") and character not in FORMATS


def _names(text: str) -> list[str]:
    return [name for name in PLACEHOLDER.findall(text) if name]


def _texts(text: str | list[str] | tuple[str, ...]) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


def _key(message: Message) -> tuple[str | None, str]:
    return message.context, _texts(message.id)[0]


def _named(key: tuple[str | None, str]) -> str:
    context, text = key
    return f"“{text}”" + (f" ({context})" if context else "")
