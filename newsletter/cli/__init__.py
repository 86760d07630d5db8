"""The `newsletter` command."""

from newsletter.cli.app import main

__all__ = ["main"]
