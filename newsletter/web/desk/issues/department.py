"""The pages of issues, as one entry of the navigation."""

from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import Department
from newsletter.web.desk.issues import (
    cancelling,
    decisions,
    drafting_page,
    issue_page,
    issue_texts_page,
    letter_previews,
    listing,
)

DEPARTMENT = Department("Issues", "/desk/issues")

router = DeskRouter()
for each in (listing, drafting_page, issue_page, issue_texts_page, letter_previews, decisions, cancelling):
    router.include_router(each.router)
