"""Rows of many callers are inserted together, and each caller learns what became of its own."""

from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import closing

import pytest
from sqlalchemy import func, select, text

from newsletter import audit_log
from newsletter.audit_log import Act
