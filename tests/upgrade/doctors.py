"""What the doctors of two releases say about the same rows."""

from typing import Any

from sqlalchemy import select

from newsletter.mail.delivery.deliveries import Delivery
from newsletter.mail.letters import totals
from newsletter.mail.letters.letters import Letter, LetterKind, Variant
from tests.upgrade.mixed_service import MixedService
from tests.upgrade.release import ReleaseProcesses

FOREIGN, MISSING = "its text belongs to another letter", "it has no stored text"


def unexpected(service: MixedService, release: ReleaseProcesses) -> list[dict[str, Any]]:
    """Return what a release's doctor finds wrong although it is right.

    The release before does not know that sign-ups share the text of their letters. It reports each such delivery, each
    such letter, and how many more there are, and nothing else may be among its findings.
    """
    findings = release.findings()
    if release is not service.before:
        return findings
    shared = _shared_texts(service)
    known = {(f"delivery {delivery}", FOREIGN) for delivery, _ in shared}
    known |= {(f"letter {occasion}", MISSING) for _, occasion in shared}
    known |= {("elsewhere", f"{more:,} more like these") for more in range(1, len(shared) + 1)}
    return [each for each in findings if each["check"] != "variants" or (each["about"], each["says"]) not in known]


def _shared_texts(service: MixedService) -> list[tuple[int, str]]:
    """Return the deliveries whose text belongs to the total of confirmations, and the occasions of their letters."""
    total = select(Letter.id).where(Letter.occasion == totals.total_of(LetterKind.CONFIRMATION)).scalar_subquery()
    shared = (
        select(Delivery.id, Letter.occasion)
        .join(Letter, Letter.id == Delivery.letter_id)
        .join(Variant, Variant.id == Delivery.variant_id)
        .where(Letter.signup_id.is_not(None), Variant.letter_id == total)
    )
    with service.database.reading() as session:
        return [(number, occasion) for number, occasion in session.execute(shared)]
