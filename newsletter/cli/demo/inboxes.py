"""Inboxes: where the letters to the demo's readers are found."""

from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from sqlalchemy import func, or_, select

from newsletter.errors import NewsletterError
from newsletter.mail.delivery import copies
from newsletter.mail.delivery.assembly import Assembler
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, has_status
from newsletter.store.database import Database


@dataclass(frozen=True)
class Maildir:
    """A folder that letters are put into."""

    folder: Path

    def __len__(self) -> int:
        return sum(1 for _ in (self.folder / "new").glob("*"))

    def letters(self) -> list[EmailMessage]:
        """What has arrived."""
        return [_parsed(file.read_bytes()) for file in sorted((self.folder / "new").glob("*"))]


@dataclass(frozen=True)
class Relayed:
    """The inboxes behind a relay. Nobody can look into them from here: what it took is made once more."""

    database: Database
    assembler: Assembler

    def __len__(self) -> int:
        with self.database.reading() as session:
            return (
                session.scalar(select(func.count()).select_from(Delivery).where(has_status(DeliveryStatus.SENT))) or 0
            )

    def letters(self) -> list[EmailMessage]:
        """What the relay has taken."""
        with self.database.reading() as session:
            return [_parsed(letter) for letter in copies.sent(session, self.assembler)]

    def check(self) -> None:
        """Raise NewsletterError, with the relay's words, where it did not take a letter."""
        unwanted = or_(has_status(DeliveryStatus.FAILED), Delivery.deferrals > 0)
        with self.database.reading() as session:
            refused = session.scalars(select(Delivery).where(unwanted).order_by(Delivery.id).limit(1)).first()
        if refused:
            said = f"{refused.reply_code or ''} {refused.reply_text or 'it did not say why'}".strip()
            raise NewsletterError(f"The relay did not take a letter: {said}")


def _parsed(letter: bytes) -> EmailMessage:
    return message_from_bytes(letter, policy=policy.default)
