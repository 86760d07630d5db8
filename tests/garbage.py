"""Keep the garbage collector from looking again and again through what a test process has imported and collected.

The first plugin of `conftest.py`: what the others import takes a third of its time in the collector otherwise.
"""

import gc

YOUNG = 20_000  # new objects before a collection; Python's 700 are a twentieth of a run's processor time

gc.disable()


def pytest_collection_finish() -> None:
    """Exclude imported modules and collected tests from garbage collection: they stay until the end."""
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
    gc.enable()
