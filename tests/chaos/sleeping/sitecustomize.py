"""For processes under faketime: in its release 0.9.10 every sleep of Python fails (clock_nanosleep, TIMER_ABSTIME)."""

import select
import time


def sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


time.sleep = sleep
