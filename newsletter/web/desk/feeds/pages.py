"""The pages about feeds. A fixed path comes before the paths that name a feed."""

from newsletter.web.desk.feeds import adding, changing, one_feed, overview
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import Department

DEPARTMENT = Department("Feeds", "/desk/feeds")
router = DeskRouter()
for module in (overview, adding, changing, one_feed):
    router.include_router(module.router)
