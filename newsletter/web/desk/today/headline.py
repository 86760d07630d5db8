"""The headline of Today: what a person who reads nothing else must know."""

WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def number(n: int) -> str:
    """Return a small number as a word, a large one in digits."""
    return WORDS[n] if n < len(WORDS) else f"{n:,}"


def headline(*, paused: int, leaving: int, waiting: int, for_you: bool, steps: int, next_one: str | None) -> str:
    """Return a sentence about the day. `next_one` is when the next issue leaves, in words."""
    verbs = (
        (paused, "is paused", "are paused"),
        (leaving, "is leaving", "are leaving"),
        (waiting, *(("waits for you", "wait for you") if for_you else ("waits for approval", "wait for approval"))),
    )
    clauses = [(n, one if n == 1 else many) for n, one, many in verbs if n]
    if clauses:
        first, verb = clauses[0]
        told = [f"{number(first)} {'issue' if first == 1 else 'issues'} {verb}"]
        told += [f"{number(n)} {verb}" for n, verb in clauses[1:]]
        return _capital(", ".join(told))
    if steps:
        return f"Nothing leaves yet: {number(steps)} {'step' if steps == 1 else 'steps'} to a first issue"
    if next_one:
        return f"Nothing waits for you; the next issue is planned for {next_one}"
    return "Nothing is leaving, and nothing is planned"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
