"""The option --logo of `newsletter newsletters`: a picture file that letters and pages show."""

from contextlib import closing
from pathlib import Path

from sqlalchemy.orm import Session

from newsletter import clock
from newsletter.cli import console
from newsletter.content import logos
from newsletter.content.downloading.downloader import PictureDownload
from newsletter.content.downloading.sandboxed import SandboxedDownloader
from newsletter.content.fetching.http import user_agent
from newsletter.errors import Malformed


def read(file: Path | None) -> PictureDownload | None:
    """Return the checked picture in a file; None if none, or an empty one, is given. Raises Malformed.

    It opens no transaction, because a program of its own looks at the picture.
    """
    if file is None or not file.name:
        return None
    try:
        body = file.read_bytes()
    except OSError as error:
        raise Malformed("logo", f"{file} cannot be read: {error.strerror}.") from None
    configured = console.configured()
    downloader = SandboxedDownloader(allow=configured.feed_allow, agent=user_agent(configured.base_url))
    with closing(downloader):
        return logos.read(downloader, body)


def store(session: Session, logo: PictureDownload | None) -> str | None:
    """Store the picture, if any, and return the name that the newsletter keeps."""
    return logos.store(session, logo, now=clock.now()) if logo else None
