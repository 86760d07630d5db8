"""Tell an entry of the audit log as a sentence: who did what to which thing."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from newsletter.audit_log import AuditEntry
from newsletter.consent.wordings.wordings import PUBLISHED
from newsletter.languages.languages import english_name
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
    "page text changed": "changed the text of a page of {}",
    "form generated": "generated {} to paste",
    "site registered": "registered a site for {}",
    "site removed": "removed a site of {}",
    "box text changed": "changed what the box of {} says",
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
# The same of oneself, with the thing named anew.
OWN_PHRASES = {
    "second factor turned on": "turned on {their second factor}",
    "second factor turned off": "turned off {their second factor}",
    "recovery codes renewed": "made {new recovery codes}",
    "operator's account changed": "changed {their own account}",
    "operator's password changed": "chose {a new password}",
    "operator's sessions ended": "signed {themselves} out everywhere",
    "operator's identity linked": "linked {an account at the provider}",
    "operator's identity removed": "removed {an account at the provider}",
    "operator's mail changed": "changed {which letters they get}",
    "recovery code used": "signed in with {a recovery code}",
}
UNNAMED = {"wording": "words of consent", "form": "a form"}
QUOTED = ("issue", "feed", "digest")


class ToldEntry(NamedTuple):
    """An entry as the page shows it: `who`, then `before`, the thing, `after`."""

    entry: AuditEntry
    who: str
    before: str
    thing: NamedThing
    after: str
    facts: Mapping[str, Any]


def tell(entry: AuditEntry, who: str, thing: NamedThing, newsletters: Mapping[str, str]) -> ToldEntry:
    """Return the sentence of an entry. `newsletters` are names by what the entry calls them."""
    if entry.actor == entry.subject and entry.verb in OWN_PHRASES:
        before, _, rest = OWN_PHRASES[entry.verb].partition("{")
        name, _, after = rest.partition("}")
        return ToldEntry(entry, who, before, thing._replace(name=name), after, _facts(entry, newsletters))
    participle = entry.verb.removeprefix(f"{thing.kind} ")
    phrase = PHRASES.get(entry.verb) or (f"{participle} {{}}" if participle != entry.verb else f"{entry.verb}: {{}}")
    before, _, after = phrase.partition("{}")
    if thing.kind in QUOTED and thing.is_own_name:
        before, after = f"{before}{thing.kind} “", f"”{after}"
    thing = thing._replace(name=_unnamed(entry, thing))
    is_name = entry.actor.startswith(("operator:", "cli:")) and not who.startswith("operator ")
    who = who if is_name else who[:1].upper() + who[1:]
    return ToldEntry(entry, who, before, thing, after, _facts(entry, newsletters))


def _unnamed(entry: AuditEntry, thing: NamedThing) -> str:
    """Return what a thing is called that has no name of its own."""
    if thing.kind == "wording" and {"version", "language"} <= entry.fields.keys():
        return f"version {entry.fields['version']} of the words of consent in {english_name(entry.fields['language'])}"
    return UNNAMED.get(thing.kind, thing.name)


def _facts(entry: AuditEntry, newsletters: Mapping[str, str]) -> dict[str, str]:
    """Return the facts, with what was before beside what is now, and names in place of tags."""
    told = {"version", "language"} if entry.verb == PUBLISHED else set()
    fields = {
        name: _in_words(name, value, newsletters)
        for name, value in entry.shown_fields.items()
        if value is not None and name not in told
    }
    facts: dict[str, str] = {}
    for name, value in fields.items():
        if name.endswith("_before") and name.removesuffix("_before") in fields:
            continue
        former = fields.get(f"{name}_before")
        shown = _shown(value)
        facts[name.replace("_", " ")] = f"{shown} (before: {_shown(former)})" if former is not None else shown
    return facts


def _in_words(name: str, value: Any, newsletters: Mapping[str, str]) -> Any:
    match name.removesuffix("_before"), value:
        case "newsletter", str():
            return newsletters.get(value, value)
        case "newsletters", [*slugs]:
            return [newsletters.get(str(slug), slug) for slug in slugs]
        case "language", str():
            return english_name(value)
        case "languages", [*tags]:
            return [english_name(str(tag)) for tag in tags]
        case _:
            return value


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
