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
    letter_tests,
    listing,
)

DEPARTMENT = Department("Issues", "/desk/issues")
AREA = (
    listing,
    drafting_page,
    issue_page,
    issue_texts_page,
    letter_previews,
    decisions,
    cancelling,
    letter_tests,
)

router = DeskRouter()
for each in AREA:
    router.include_router(each.router)
