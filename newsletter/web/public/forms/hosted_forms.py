"""Sign-up forms on our own pages: each in the language of its wording, whatever that of the page around it."""

from markupsafe import Markup

from newsletter.consent.wordings import rendered_forms
from newsletter.consent.wordings.rendered_forms import NOTHING, Entered
from newsletter.newsletters import Newsletter
from newsletter.web.public.forms import form_times
from newsletter.web.public.offered_newsletters import OfferedNewsletters, PublishedForm
from newsletter.web.site import Site


def hosted_form(site: Site, newsletter: Newsletter, tag: str) -> Markup | None:
    """Return a newsletter's form in the language that suits this one best; None if no words are published."""
    offered = site.offered.get()
    published = offered.current(newsletter, tag)
    return show(site, offered, published) if published else None


def show(
    site: Site,
    offered: OfferedNewsletters,
    published: PublishedForm,
    entered: Entered = NOTHING,
    *,
    path: str = "/subscribe",
    asks_for_work: bool = False,
) -> Markup:
    """Return a form as HTML, with what a visitor has entered; `path` is where it is posted.

    `asks_for_work`: the browser may solve a proof of work; the page's security policy must then allow scripts.
    """
    by_id = {newsletter.id: newsletter for newsletter in offered.newsletters.values()}
    form = published.form
    # During an upgrade a process of the release before may receive what this one has shown. It knows forms of one
    # newsletter by their exhibits, which beside the wording say as much as the number. Send numbers one release later.
    name = form.exhibit if len(form.newsletters) == 1 else form.id
    return rendered_forms.hosted(
        site.templates,
        published.wording,
        [by_id[number] for number in form.newsletters],
        wording=published.wording.id,
        form=name,
        entered=entered,
        root=site.root,
        path=path,
        shown_at=form_times.stamp_of_public_page(site.keyring, now=site.now()),
        asks_for_work=asks_for_work,
    )
