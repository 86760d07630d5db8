"""Answer a set of sign-ups in one transaction, as if they were answered one by one in the order of the claim."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from newsletter.consent.evidence_terms import EvidenceField
from newsletter.consent.limits import pressure
from newsletter.consent.limits.pressure import LetterKeys, LetterLimits
from newsletter.keys import Keyring
from newsletter.mail.mailings.confirmations import known as known_people
from newsletter.mail.mailings.confirmations import lanes, rules, texts, writing
from newsletter.mail.mailings.confirmations.lanes import Lanes
from newsletter.mail.mailings.confirmations.rules import Known
from newsletter.mail.mailings.confirmations.writing import Drawing, OwedLetter
from newsletter.newsletters import Newsletter
from newsletter.store.database import is_on_sqlite
from newsletter.templating import Templates


@dataclass(frozen=True, kw_only=True)
class Answering:
    """What answers need beside the database."""

    templates: Templates
    keyring: Keyring
    base_url: str
    limits: LetterLimits
    random_bytes: Callable[[int], bytes] = secrets.token_bytes  # of subjects and salts

    def answer(self, session: Session, signups: Sequence[Row[Any]], *, now: datetime) -> None:
        """Owe each of these locked sign-ups its letter, put it in the slow lane, or set it to `quiet`.

        Rows are locked in the same order as everywhere: known subscribers, counts of letters, tickets, new subscribers,
        each in the order of their keys. Raises Overtaken if another transaction changed meanwhile what was read; the
        caller then answers the set anew, in a new transaction.
        """
        _use_indexes(session)
        newsletters = texts.read_newsletters(session, {int(number) for each in signups for number in each.newsletters})
        known = known_people.read(session, self.keyring, signups, frozenset(newsletters), now=now)
        # A decision only takes possibilities from the ones after it. So no other sign-up can be owed a letter.
        candidates = {each.id: self._candidate(each) for each in signups if rules.choose(known, each)}
        owed: list[OwedLetter] = []
        slow: list[Row[Any]] = []
        quiet: list[Row[Any]] = []
        drawing = Drawing(known, self.keyring, self.random_bytes)
        if candidates:
            proofs = lanes.proofs(self.keyring, [each for each in signups if each.id in candidates])
            room = pressure.room(session, list(candidates.values()), self.limits, now=now)
            chosen = Lanes(session, room, proofs)
        for signup in signups:
            choice = rules.choose(known, signup) if signup.id in candidates else None
            if choice is None:
                quiet.append(signup)
            elif chosen.take(signup, candidates[signup.id]):
                rules.note(known, signup, choice)
                owed.append(drawing.owe(signup, choice))
            else:
                slow.append(signup)
        if owed:
            chosen.write()
            self._write(session, owed, known, drawing.new, newsletters, now=now)
        writing.set_states(session, owed, slow, quiet, now=now)

    def _write(
        self,
        session: Session,
        owed: Sequence[OwedLetter],
        known: Known,
        new: Mapping[str, bytes],
        newsletters: Mapping[int, Newsletter],
        *,
        now: datetime,
    ) -> None:
        writing.take_tickets(session, self.keyring, owed, now=now)
        ids = writing.create_subscribers(session, owed, known, new, now=now)
        stored = texts.store(
            session,
            {each.offer for each in owed},
            newsletters,
            templates=self.templates,
            base_url=self.base_url,
            now=now,
        )
        writing.write_letters(session, owed, ids, stored, now=now)
        writing.record_requests(session, owed, ids, stored, new=new, now=now)

    def _candidate(self, signup: Row[Any]) -> LetterKeys:
        return pressure.letter_keys(
            self.keyring, ip=signup.evidence.get(EvidenceField.IP), address_key=signup.address_key
        )


def _use_indexes(session: Session) -> None:
    """Make PostgreSQL use indexes for the rest of the transaction, also to check foreign keys.

    A connection keeps the plans of these checks. Made while a table was small, they would read all of it for each row
    until the next ANALYZE: in a flood that multiplies the work.
    """
    if not is_on_sqlite(session):
        session.execute(select(func.set_config("enable_seqscan", "off", True)))
