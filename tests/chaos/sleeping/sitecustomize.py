"""Replace time.sleep in processes under faketime 0.9.10, where it fails (clock_nanosleep, TIMER_ABSTIME)."""

import select
import time


def sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


time.sleep = sleep
