"""The pages of newsletters, as one entry of the navigation."""

from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import Department
from newsletter.web.desk.newsletters import (
    adding,
    field_pages,
    legal_texts,
    listing,
    newsletter_previews,
    overview,
    sending_domain,
    wording_pages,
    wordings_overview,
)
from newsletter.web.desk.newsletters.box import box_changes, box_page, box_previews

DEPARTMENT = Department("Newsletters", "/desk/newsletters")

router = DeskRouter()
for each in (
    listing,
    adding,
    overview,
    field_pages,
    newsletter_previews,
    wordings_overview,
    wording_pages,
    box_page,
    box_changes,
    box_previews,
    legal_texts,
    sending_domain,
):
    router.include_router(each.router)
