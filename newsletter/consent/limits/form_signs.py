"""Signs that a program filled in a form. They never refuse a sign-up: they only choose the lane that it waits in."""

from datetime import timedelta
from enum import StrEnum

TRAP_FIELD = "website"  # people do not see it; its name is one that programs fill in and that browsers do not
YOUNGEST = timedelta(seconds=2)  # nobody reads the words of consent and types an address in less


class Doubt(StrEnum):
    """Why a form may have been filled in by a program. The values are stored."""

    TRAP = "trap"  # the field that people do not see was filled in
    YOUNG = "young"  # the form was posted sooner after it was shown than a person can type


def doubt_of(*, trap: str, age: timedelta | None) -> Doubt | None:
    """Return why a form may have been filled in by a program; None if nothing speaks for it.

    `trap` is what the field that people do not see holds; `age` is the time since the form was shown. An unknown age is
    no sign: pasted forms and programs that we invite do not say when they were shown. Neither is a negative one, which
    two of our own servers' clocks may cause. A visitor's clock plays no part.
    """
    if trap:
        return Doubt.TRAP
    if age is not None and timedelta(0) <= age < YOUNGEST:
        return Doubt.YOUNG
    return None
