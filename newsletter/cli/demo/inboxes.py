"""The inboxes of the demo's readers: the outbox folder, or the letters that a relay accepted."""

from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from sqlalchemy import func, or_, select

from newsletter.cli.demo import copies
from newsletter.errors import NewsletterError
from newsletter.mail.delivery.assembly import Assembler
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, has_status
from newsletter.store.database import Database


@dataclass(frozen=True)
class Maildir:
    """A folder with one file per letter."""

    folder: Path

    def __len__(self) -> int:
        return sum(1 for _ in (self.folder / "new").glob("*"))

    def letters(self) -> list[EmailMessage]:
        """Return the letters, in the order of their file names."""
        return [_parsed(file.read_bytes()) for file in sorted((self.folder / "new").glob("*"))]


@dataclass(frozen=True)
class Relayed:
    """Inboxes behind a relay. The demo cannot read them, so it assembles the letters that the relay accepted again."""

    database: Database
    assembler: Assembler

    def __len__(self) -> int:
        with self.database.reading() as session:
            return (
                session.scalar(select(func.count()).select_from(Delivery).where(has_status(DeliveryStatus.SENT))) or 0
            )

    def letters(self) -> list[EmailMessage]:
        """Return copies of the letters that the relay accepted."""
        with self.database.reading() as session:
            return [_parsed(letter) for letter in copies.sent(session, self.assembler)]

    def check(self) -> None:
        """Raise NewsletterError with the relay's reply if it refused or deferred a letter."""
        not_accepted = or_(has_status(DeliveryStatus.FAILED), Delivery.deferrals > 0)
        with self.database.reading() as session:
            refused = session.scalars(select(Delivery).where(not_accepted).order_by(Delivery.id).limit(1)).first()
        if refused:
            reply = f"{refused.reply_code or ''} {refused.reply_text or 'no reason given'}".strip()
            raise NewsletterError(f"The relay did not accept a letter: {reply}")


def _parsed(letter: bytes) -> EmailMessage:
    return message_from_bytes(letter, policy=policy.default)
