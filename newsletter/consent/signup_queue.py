"""The queue of received sign-ups."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from newsletter.consent.signups import LINK_LIFETIME, RECEIVED, Signup


def claim(session: Session, *, limit: int, after: str, now: datetime) -> Sequence[Row[Any]]:
    waiting = select(*Signup.__table__.columns).where(
        RECEIVED, Signup.received_at <= now, Signup.received_at > now - LINK_LIFETIME
    )
    return session.execute(waiting.order_by(Signup.id).limit(limit).with_for_update(skip_locked=True)).all()
