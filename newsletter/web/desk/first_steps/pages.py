"""The screens of the first steps."""

from newsletter.web.desk.first_steps import digest_step, feed_step, letter_step, newsletter_step
from newsletter.web.desk.frame.access import DeskRouter

router = DeskRouter()
for each in (newsletter_step, feed_step, digest_step, letter_step):
    router.include_router(each.router)
