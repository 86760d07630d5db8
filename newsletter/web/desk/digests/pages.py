"""The pages about digests. A fixed path comes before the paths that name a digest."""

from newsletter.web.desk.digests import adding, changing, next_runs, one_digest, overview
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import Department

DEPARTMENT = Department("Digests", "/desk/digests")
router = DeskRouter()
for module in (overview, adding, next_runs, changing, one_digest):
    router.include_router(module.router)
