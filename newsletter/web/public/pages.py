"""The pages for visitors and readers. A new page is a module of a folder here, with its template."""

from fastapi import APIRouter

from newsletter.web.plain_route import PlainRoute
from newsletter.web.public import crawlers, legal_pages, static_files
from newsletter.web.public.box import box_forms
from newsletter.web.public.forms import challenges, preflights, signup, signup_pages
from newsletter.web.public.issues import archive, issue_feeds, saved_articles
from newsletter.web.public.letter_links import (
    address_pages,
    confirmation_pages,
    my_data,
    my_data_links,
    pasted_links,
    unsubscribe_pages,
)
from newsletter.web.public.preferences import further_newsletters
from newsletter.web.public.preferences import routes as preferences

PAGES = (
    signup_pages,
    box_forms,
    preflights,
    challenges,
    confirmation_pages,
    unsubscribe_pages,
    preferences,
    further_newsletters,
    pasted_links,
    address_pages,
    my_data_links,
    my_data,
    issue_feeds,
    archive,
    saved_articles,
    legal_pages,
    crawlers,
    static_files,
)


def add(router: APIRouter) -> None:
    """Add the pages' routes, the form that visitors post first: its cost matters."""
    router.routes.append(PlainRoute("/subscribe", signup.subscribe, methods=["POST"]))
    for page in PAGES:
        router.include_router(page.router)
