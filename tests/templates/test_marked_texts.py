"""Every fixed word of the templates is marked for translation; a journey finds those of code, but takes longer."""

import re

import pytest
from jinja2 import nodes

from newsletter import templating

FOLDER = templating.templates_dir()
OPERATORS = {"pages/outbox.html", "pages/outbox_letter.html"}  # pages that only the machine's own operator opens
DESK = ("desk/", "letters/operators/")  # for operators, in English
TEMPLATES = sorted(
    str(path.relative_to(FOLDER))
    for path in FOLDER.rglob("*")
    if path.suffix in (".html", ".txt", ".xml") and not str(path.relative_to(FOLDER)).startswith(DESK)
)

SPOKEN = re.compile(r'\b(?:alt|title|aria-label|placeholder)="([^"]*)"')  # attributes that are read aloud or shown
HIDDEN = re.compile(r"<!--.*?-->|<style.*?</style>|<!doctype[^>]*>", re.DOTALL | re.IGNORECASE)
ENTITY = re.compile(r"&#?\w+;")
ATTRIBUTE = re.compile(r'^/|="|\dpx|^[a-z-]+"?$')  # printed by an expression inside of a tag
IN_TAG = re.compile(r'="|"$|^-')  # a word of an attribute that a macro writes
COMMANDS = {"newsletter doctor domain", "probe.eml", "newsletter newsletters add"}


def unmarked(source: str, *, is_html: bool) -> list[str]:
    """Return the texts of a template with letters, outside of tags and of what is translated."""
    tree = templating.environment().parse(source)
    pieces = [node.data for node in tree.find_all(nodes.TemplateData)]
    text = HIDDEN.sub("", "\0".join(pieces)) if is_html else "\0".join(pieces)
    found = SPOKEN.findall(text) if is_html else []
    found += re.split(r"<[^>]*>|\0", text) if is_html else text.split("\0")
    printed = [constant for output in tree.find_all(nodes.Output) for constant in _constants(output)]
    found += [constant for constant in printed if not ATTRIBUTE.search(constant)]
    tokens = (ENTITY.sub("", each.replace("\0", "")).split() for each in found)
    words = (" ".join(word for word in each if not IN_TAG.search(word)) for each in tokens)
    return [each for each in words if re.search(r"[^\W\d_]{2}", each) and each not in COMMANDS]


def _constants(node: nodes.Node) -> list[str]:
    """Return the texts that an expression prints itself, not as an argument."""
    if isinstance(node, nodes.Output):
        return [text for child in node.nodes for text in _constants(child)]
    if isinstance(node, nodes.Const):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, nodes.CondExpr):
        return [text for child in (node.expr1, node.expr2) if child for text in _constants(child)]
    if isinstance(node, nodes.Concat | nodes.Or | nodes.And):
        return [text for child in node.iter_child_nodes() for text in _constants(child)]
    if isinstance(node, nodes.Filter) and node.name in ("safe", "default", "join"):
        return [text for child in node.iter_child_nodes() for text in _constants(child)]
    return []


@pytest.mark.parametrize("name", [name for name in TEMPLATES if name not in OPERATORS])
def test_every_text_of_a_template_is_marked(name):
    assert unmarked((FOLDER / name).read_text(), is_html=not name.endswith(".txt")) == []


@pytest.mark.parametrize(
    "source",
    [
        "<p>Sign up</p>",
        '<img src="x" alt="A picture">',
        "<p>{{ _('Sign up') }} now</p>",
        "<p>{{ 'Yes' if x else 'No' }}</p>",
        "{% if x %}Sign up{% endif %}",
        "{% trans %}Sign up{% endtrans %}: now",
    ],
)
def test_a_text_without_a_mark_is_found(source):
    assert unmarked(source, is_html=True)
    assert not unmarked('<p class="{{ a }} wide">{% trans %}Sign up{% endtrans %} {{ b }} · 1 &nbsp;</p>', is_html=True)
