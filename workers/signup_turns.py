"""What a worker process remembers from one claim of sign-ups to the next."""

from dataclasses import dataclass
from datetime import datetime


@dataclass
class SignupTurns:
    """Where the next claims go on, and how the last ones ended; only the thread of urgent jobs uses it."""

    received: str | None = None  # the network served last
    slow: str | None = None  # the same in the slow lane
    looked_at: datetime | None = None  # when a look into the slow lane last found nobody's turn
    is_lane_open: bool = False
    has_address_changes: bool = False  # the last look for sign-ups found changes of address that wait
    is_held_back: bool = False  # sign-ups may wait although no letter was owed, because others wait for the relays
