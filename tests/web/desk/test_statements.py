"""What the pages of a newsletter cost the database: a page reads what its frame has read no second time."""

import pytest

from newsletter.operators.roles import Role
from tests.statements import executed

FRAME = 2  # the session with its operator, and the newsletter that the path names
PAGES = {"": FRAME + 9, "/box": FRAME + 9, "/pages": FRAME + 3, "/wordings": FRAME + 1}


@pytest.mark.parametrize("service", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
def test_a_page_of_a_newsletter_has_few_statements_also_after_a_pause(service, sign_in):
    service.newsletter("morning")
    desk = sign_in(Role.ADMIN)
    for page, most in PAGES.items():
        service.let_the_site_read_newsletters_again()  # as every five seconds
        with executed(service.site.database) as statements:
            desk.page(f"/newsletters/morning{page}")
        assert len(statements) <= most, (page, statements)
