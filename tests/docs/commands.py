"""Find commands in shell blocks, and check them against the `newsletter` command line."""

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from typer.main import get_command

from newsletter.cli.app import app

HEREDOC = re.compile(r"<<'?(\w+)'?(?P<rest>[^\n]*)\n.*?^\1$", re.MULTILINE | re.DOTALL)
IN_COMPOSE = ["docker", "compose", "exec", "web"]
OPERATORS = {">", ">>", "|", "&", "&&", "||", ";"}


def commands(script: str) -> Iterator[list[str]]:
    """Return the simple commands of a script as words, each up to its first pipe or redirection."""
    joined = HEREDOC.sub(r"\g<rest>", script).replace("\\\n", " ")
    for line in joined.splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # a string that continues on the next line
            continue
        end = next((place for place, word in enumerate(words) if word in OPERATORS), len(words))
        if words[:end]:
            yield words[:end]


def of_newsletter(script: str) -> Iterator[list[str]]:
    """Return the arguments of each `newsletter` command in a script, also inside a container."""
    for words in commands(script):
        bare = words[len(IN_COMPOSE) :] if words[: len(IN_COMPOSE)] == IN_COMPOSE else words
        if bare[:1] == ["newsletter"]:
            yield bare[1:]


def understand(words: Sequence[str], *, whole: bool = True) -> None:
    """Raise an error if the command line refuses these words; unless `whole`, only for unknown commands and options."""
    command: Any = get_command(app)
    context = command.make_context("newsletter", [], resilient_parsing=True)
    rest = list(words)
    while hasattr(command, "get_command") and rest and not rest[0].startswith("-"):
        part = command.get_command(context, rest[0])
        if part is None:
            raise ValueError(f"there is no command {rest[0]}")
        command, rest = part, rest[1:]
    options = {option for parameter in command.get_params(context) for option in parameter.opts}
    for word in rest:
        if word.startswith("--") and word.partition("=")[0] not in options:
            raise ValueError(f"there is no option {word}")
    if whole:
        command.make_context(words[0] if words else "newsletter", rest, parent=context)
