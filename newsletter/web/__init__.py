"""The web process: public pages, archive, outbox, health and metrics."""

from newsletter.web.app import create_app

__all__ = ["create_app"]
