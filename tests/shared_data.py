"""Data that lies beside the repository and is not part of it: real feeds, hostile feeds, odd addresses."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared" / "data"


def shared(path: str) -> Path:
    """That file or folder of the shared data; the test is skipped where it is absent."""
    if not (SHARED / path).exists():
        pytest.skip(f"no shared data: {SHARED / path} does not exist")
    return SHARED / path
