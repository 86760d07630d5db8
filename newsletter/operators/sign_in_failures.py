"""Failed attempts to sign in, counted by account, device and network."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.store.database import Base


class SignInFailures(Base):
    """The failed attempts of one key within one period. A key is a MAC, so no address is stored."""

    __tablename__ = "sign_in_failures"

    key: Mapped[str] = mapped_column(String(120), primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    n: Mapped[int]
