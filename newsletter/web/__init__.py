"""The site: public pages, archive, outbox; one composition root."""

from newsletter.web.app import create_app

__all__ = ["create_app"]
