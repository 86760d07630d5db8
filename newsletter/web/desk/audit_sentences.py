"""Tell an entry of the audit log as a sentence: who did what to which thing."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from newsletter.audit_log import AuditEntry
from newsletter.web.desk.audit_names import NamedThing

# Where the verb is not just a participle after the kind of thing. {} is the thing.
PHRASES = {
    "issue begun": "began to send {}",
    "issue sent": "finished sending {}",
    "issue expired": "dropped {}, which nobody had approved in time",
    "issue unscheduled": "took back the approval of {}",
    "issue returned to draft": "returned {} to draft",
    "issue approved again": "approved {} again",
    "issue time moved": "moved the time of {}",
    "issue texts changed": "changed the texts of {}",
    "issue articles withdrawn": "took withdrawn articles out of {}",
    "feed's title changed": "changed the title of {}",
    "feed's address changed": "changed the address of {}",
    "feed's newsletter changed": "moved {} to another newsletter",
    "feed moved": "followed {} to its new address",
    "feeds refreshed": "had {} read again",
    "probe written": "wrote a probe of {}",
    "wording published": "published {}",
    "form generated": "generated {} to paste",
    "subscriptions withdrawn": "ended the subscriptions of {} on their word",
    "letter allowed": "allowed one letter in spite of {}",
    "doctor mended": "repaired {}",
    "operator's role changed": "changed the roles of {}",
    "operator's account changed": "changed the account of {}",
    "second factor turned on": "turned on the second factor of {}",
    "second factor turned off": "turned off the second factor of {}",
    "recovery codes renewed": "made new recovery codes for {}",
    "operator's password changed": "chose a new password for {}",
    "operator's sessions ended": "signed {} out everywhere",
    "issue test written": "sent themselves a test of {}",
    "operator's identity linked": "linked an account at the provider with {}",
    "operator's identity removed": "removed an account at the provider from {}",
    "operator's mail changed": "changed which letters {} gets",
    "operator's invitation link made": "made an invitation for {}",
    "operator's reset link made": "made a link to a new password for {}",
    "recovery code used": "signed in with a recovery code of {}",
}
UNNAMED = {"wording": "a consent wording", "form": "a form"}
QUOTED = ("issue", "feed", "digest")


class ToldEntry(NamedTuple):
    """An entry as the page shows it: `who`, then `before`, the thing, `after`."""

    entry: AuditEntry
    who: str
    before: str
    thing: NamedThing
    after: str
    facts: Mapping[str, Any]


def tell(entry: AuditEntry, who: str, thing: NamedThing) -> ToldEntry:
    """Return the sentence of an entry."""
    participle = entry.verb.removeprefix(f"{thing.kind} ")
    phrase = PHRASES.get(entry.verb) or (f"{participle} {{}}" if participle != entry.verb else f"{entry.verb}: {{}}")
    before, _, after = phrase.partition("{}")
    if thing.kind in QUOTED and thing.is_own_name:
        before, after = f"{before}{thing.kind} “", f"”{after}"
    thing = thing._replace(name=UNNAMED.get(thing.kind, thing.name))
    is_name = entry.actor.startswith(("operator:", "cli:")) and not who.startswith("operator ")
    who = who if is_name else who[:1].upper() + who[1:]
    return ToldEntry(entry, who, before, thing, after, _facts(entry))


def _facts(entry: AuditEntry) -> dict[str, str]:
    """Return the facts, with what was before beside what is now."""
    fields = {name: value for name, value in entry.shown_fields.items() if value is not None}
    facts: dict[str, str] = {}
    for name, value in fields.items():
        if name.endswith("_before") and name.removesuffix("_before") in fields:
            continue
        former = fields.get(f"{name}_before")
        shown = _shown(value)
        facts[name.replace("_", " ")] = f"{shown} (before: {_shown(former)})" if former is not None else shown
    return facts


def _shown(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(_shown, value)) or "none"
        case dict():
            return "; ".join(f"{name.replace('_', ' ')}: {_shown(each)}" for name, each in value.items())
        case _:
            return str(value)
