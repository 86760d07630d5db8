"""Mending: what doctor finds and can put right without a doubt; each mend is an act.

Only what is derived is made anew, from what it is derived of. Ledger, evidence, suppressions and decided deliveries are
never touched, and a mark that keeps a letter back is never taken away.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from newsletter import audit_log
from newsletter.consent import standings, subscribers
from newsletter.doctor.checks import suppressed
from newsletter.doctor.checks.expired_leases import Pulse
from newsletter.doctor.checks.findings import Check
from newsletter.keys import Keyring
from newsletter.mail.delivery import reclaiming
from newsletter.mail.delivery.deliveries import REQUEUED_STATUS, Delivery, DeliveryStatus, Tally, has_status
from newsletter.mail.delivery.leases import Worker
from newsletter.mail.letters.letters import Letter
from newsletter.store import triggers
from newsletter.store.database import Begin

TOGETHER = 100  # subscribers locked in one transaction


class Repair(NamedTuple):
    """One thing that was put right."""

    check: Check
    says: str


@dataclass(frozen=True, kw_only=True)
class Repairer:
    """Puts right what can be, in the name of who asked for it."""

    reading: Begin
    writing: Begin
    actor: str
    now: Callable[[], datetime]
    keyring: Keyring | None = None

    def mend(self, checks: Collection[Check], *, quiet: Mapping[int, Pulse] | None = None) -> list[Repair]:
        """Put right what belongs to these checks; `quiet` are carriers that were silent for half a minute."""
        steps = {
            Check.TRIGGERS: self._triggers,  # first: the acts that follow are guarded by them
            Check.STANDING: self._standings,
            Check.SUPPRESSED: self._suppressed,
            Check.SUMS: self._sums,
        }
        done = [said for check, step in steps.items() if check in checks and (said := step())]
        if Check.DEAD_CLAIMS in checks:
            done += [said for said in (self._nobodys(), self._dead(quiet or {})) if said]
        return done

    def _triggers(self) -> Repair | None:
        with self.writing() as session:
            missing = sorted(triggers.missing(session.connection()))
            triggers.recreate(session.connection())
            return self._told(session, Check.TRIGGERS, len(missing), "{:,} triggers are there again", names=missing)

    def _standings(self) -> Repair | None:
        """Rebuild subscriptions, each under its subscriber's lock: what changed meanwhile is not undone."""
        count = 0
        with self.reading() as snapshot:
            rows = snapshot.execute(standings.differing().execution_options(yield_per=TOGETHER))
            for chunk in rows.partitions():
                with self.writing() as session:
                    rebuilt = [row[0] for row in chunk if standings.rebuild(session, row[0], row[1])]
                    self._told(session, Check.STANDING, len(rebuilt), "", subscribers=rebuilt)
                count += len(rebuilt)
        return _said(Check.STANDING, count, "{:,} subscriptions say again what the ledger says")

    def _suppressed(self) -> Repair | None:
        """Mark whom a suppression forbids to write to."""
        assert self.keyring  # without it nothing of the kind is found
        with self.reading() as snapshot:
            weak = [found for found in suppressed.differing(snapshot, self.keyring) if found.is_too_weak]
        with self.writing() as session:
            for found in weak:
                subscriber = subscribers.by_id(session, found.subscriber)
                if subscriber and subscriber.suppressed == found.shown:
                    subscriber.suppressed = found.told
            says = "{:,} subscribers are marked again as the suppressions say"
            return self._told(
                session, Check.SUPPRESSED, len(weak), says, subscribers=[each.subscriber for each in weak]
            )

    def _sums(self) -> Repair | None:
        """Drop tallies that count rows which are all still there: the sum of the rows alone is the audience."""
        rows = select(func.count()).where(Delivery.letter_id == Letter.id).scalar_subquery()
        twice = select(Letter.id).where(exists().where(Tally.letter_id == Letter.id), Letter.audience == rows)
        with self.writing() as session:
            letters = list(session.scalars(twice.where(exists().where(Tally.letter_id == Letter.id, Tally.n > 0))))
            gone = [
                [letter, carrier, status.value, n]
                for letter, carrier, status, n in session.execute(
                    delete(Tally)
                    .where(Tally.letter_id.in_(letters))
                    .returning(Tally.letter_id, Tally.carrier_id, Tally.status, Tally.n)
                )
            ]
            says = "{:,} letters are counted once: their tallies counted rows that are all there"
            return self._told(session, Check.SUMS, len(letters), says, tallies=gone)

    def _nobodys(self) -> Repair | None:
        """Hand back claims that belong to no carrier there is; its process may have sent letters all the same."""
        nobody = or_(Delivery.carrier_id.is_(None), ~exists().where(Worker.id == Delivery.carrier_id))
        back = update(Delivery).where(has_status(DeliveryStatus.CLAIMED), nobody)
        back = back.values(status=REQUEUED_STATUS, carrier_id=None, deaths=Delivery.deaths + 1)
        with self.writing() as session:
            count = session.execute(back, execution_options={"synchronize_session": False}).rowcount  # type: ignore[attr-defined]
            return self._told(session, Check.DEAD_CLAIMS, count, "{:,} letters that nobody carried wait again")

    def _dead(self, quiet: Mapping[int, Pulse]) -> Repair | None:
        """Hand back the claims of carriers that have not moved up to this transaction."""
        with self.writing() as session:
            beats = select(Worker.id, Worker.beats).where(Worker.id.in_(quiet)).with_for_update()
            dead = [number for number, seen in session.execute(beats) if quiet[number].beats == seen]
            count = reclaiming.reclaim(session, dead, now=self.now()) if dead else 0
            says = "{:,} letters were handed back: who carried them has fallen silent"
            return self._told(session, Check.DEAD_CLAIMS, count, says, carriers=dead)

    def _told(self, session: Session, check: Check, count: int, says: str, **fields: Any) -> Repair | None:
        if count:
            subject = f"check:{check}"
            audit_log.record(
                session, actor=self.actor, verb="doctor mended", subject=subject, now=self.now(), n=count, **fields
            )
        return _said(check, count, says)


def _said(check: Check, count: int, says: str) -> Repair | None:
    return Repair(check, says.format(count)) if count else None
