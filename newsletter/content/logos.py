"""A newsletter's logo: a picture of the publisher's own, checked and stored like the articles' pictures."""

from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.content.articles import picture_files
from newsletter.content.articles.picture_files import Picture
from newsletter.content.downloading.downloader import MAX_PICTURE_BYTES, Downloader, PictureDownload
from newsletter.content.issues import editions
from newsletter.content.issues.editions import Image
from newsletter.content.parsing.images.image_check import PictureUnsuitable
from newsletter.errors import Malformed
from newsletter.newsletters import Newsletter


def read(downloader: Downloader, body: bytes) -> PictureDownload:
    """Return a logo file as letters show it, at most 400 pixels wide and 240 high. Call it outside a transaction.

    Raises Malformed, naming the field `logo`, for anything but a sound PNG, JPEG, GIF or WebP file of at most 2 MB.
    """
    if len(body) > MAX_PICTURE_BYTES:
        raise Malformed("logo", f"The logo's file is larger than {MAX_PICTURE_BYTES / 1e6:g} MB.")
    try:
        return downloader.logo(body)
    except PictureUnsuitable as error:
        raise Malformed("logo", str(error)) from error


def store(session: Session, logo: PictureDownload, *, now: datetime) -> str:
    """Store a logo; return the SHA-256 for `Newsletter.logo_sha256`."""
    return picture_files.store(session, logo, now=now)


def shown(session: Session, newsletter: Newsletter, *, base_url: str) -> Image | None:
    """Return the newsletter's logo as readers get it, with the publisher's name in its place; None if it has none.

    Its size is that of the file, twice the size at which it is shown.
    """
    picture = session.get(Picture, newsletter.logo_sha256) if newsletter.logo_sha256 else None
    return editions.image(picture, alt=newsletter.publisher, base_url=base_url) if picture else None
