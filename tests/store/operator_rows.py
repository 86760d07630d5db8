"""Rows for tests of the database: operators, because they are the simplest."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.operators.operators import Operator
from tests.clock import NOON


def operators(session: Session) -> list[str]:
    return list(session.scalars(select(Operator.address).order_by(Operator.id)))


def an_operator(address: str, **columns: Any) -> Operator:
    return Operator(address=address, role="editor", **{"created_at": NOON, **columns})


def run(session_of: Any, statement: Any) -> None:
    with session_of() as session:
        session.execute(statement)
