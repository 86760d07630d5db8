"""Recognition: which entries are one story, whatever their feeds change about them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.articles.recognition import KnownArticle, distinct, recognize
from newsletter.content.articles.story_keys import StoryKeys
from tests.clock import NOON
from tests.content.builders import an_entry

DAY = timedelta(days=1)
LONG = "<p>The town opens its new bridge on Saturday, and everybody may walk across it.</p>"
HOME = "https://press.example/news/"


def an_item(identity="g1", url="https://press.example/bridge", title="The bridge opens", html=LONG, date=NOON, **more):
    return an_entry("x", identity=identity, url=url, title=title, summary="", html=html, published_at=date, **more)


def stored(entries, *, is_here=True, first_id=1) -> list[KnownArticle]:
    """The articles that a document's stories become, if none of them is known."""
    keys = [keys for _, keys in distinct(entries, pages=[HOME])]
    return [KnownArticle(id=first_id + place, is_here=is_here, keys=each) for place, each in enumerate(keys)]


def found(entries, known) -> list[int | None]:
    return recognize([keys for _, keys in distinct(entries, pages=[HOME])], known)


@pytest.mark.parametrize(
    "changes",
    [
        {"identity": "g2"},
        {"identity": "g2", "url": "http://www.press.example/bridge/?utm_source=rss#comments"},
        {"identity": "g2", "title": "The brigde opens at last"},
        {"identity": "g2", "date": NOON + DAY, "html": "<p>Other words, after a correction of nearly everything.</p>"},
        {"identity": "g2", "date": None, "title": "THE BRIDGE OPENS!"},
        {"url": "https://press.example/bridge-opens-at-last", "title": "The bridge opens at last"},
        {"url": None, "date": NOON + DAY, "title": "The bridge opens at last"},
        {"identity": "g2", "url": "https://new.example/2026/bridge"},
        {"identity": "g2", "url": "https://new.example/bridge", "html": ""},
        {"identity": "g2", "url": "https://new.example/2026/bridge", "date": None},
        {"title": "Live: the bridge is open", "date": NOON + DAY, "html": ""},
        # The slug follows a corrected title, and the id follows the slug.
        {"identity": "g2", "url": "https://press.example/bridge-open", "title": "The bridge is open"},
        # All dates are those of the fetch.
        {"identity": "g2", "url": "https://press.example/bridge?x=2", "date": NOON + timedelta(hours=1)},
        {"identity": "g2", "title": "The bridge is open", "date": NOON + DAY},
        # The site moved and published everything again.
        {"identity": "g2", "url": "https://new.example/bridge", "date": NOON + 9 * DAY},
        {"identity": "g2", "url": "https://press.example/b2", "html": "Short"},
        {"identity": "g2", "url": "https://press-example.cdn.ampproject.org/c/s/press.example/bridge", "html": "Short"},
    ],
)
def test_a_changed_entry_is_the_same_story(changes):
    assert found([an_item(**changes)], stored([an_item()])) == [1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # A thread with the same words every week.
        ({}, {"identity": "g2", "url": "https://press.example/thread-2", "date": NOON + 7 * DAY}),
        # A page of changes, with and without ids.
        ({"title": "Version 1"}, {"identity": "g2", "title": "Version 2", "date": NOON + DAY, "html": ""}),
        (
            {"title": "Version 1", "identity": "https://press.example/bridge", "has_own_identity": False},
            {"title": "Version 2", "identity": "https://press.example/bridge", "has_own_identity": False}
            | {"date": NOON + DAY, "html": ""},
        ),
        # Ids that are places in the document.
        ({"identity": "1"}, {"identity": "1", "url": "https://press.example/bus", "title": "Bus", "date": NOON + DAY}),
        # Too few words to tell stories apart.
        (
            {"title": "Picture", "html": "Photo"},
            {"title": "Picture", "identity": "g2", "url": "https://press.example/2", "html": "Photo"},
        ),
        # A page with another story every day, which its feed lists alone.
        (
            {"title": "Monday"},
            {
                "title": "Tuesday",
                "identity": "g2",
                "date": NOON + DAY,
                "html": "<p>Sun and some wind from the west.</p>",
            },
        ),
        # Links that name no story.
        (
            {"url": "https://press.example/", "title": "Bus", "html": ""},
            {"identity": "g2", "url": "https://press.example/", "title": "Bridge", "html": ""},
        ),
    ],
)
def test_another_entry_is_another_story(one, other):
    assert found([an_item(**other)], stored([an_item(**one)])) == [None]


def test_an_id_that_all_entries_share_is_none():
    three = [an_item(url=f"https://press.example/{n}", title=f"Story {n}", html="") for n in "abc"]
    assert found(three, stored(three)) == [1, 2, 3]
    fourth = an_item(url="https://press.example/d", title="Story d", html="", date=NOON + DAY)
    assert found([fourth, *three], stored(three)) == [None, 1, 2, 3]


@pytest.mark.parametrize("identity", ["http://press.example/", "https://www.press.example/news", HOME])
def test_an_id_that_is_a_page_of_the_site_is_none(identity):
    first = an_item(identity=identity, url="https://press.example/a", title="Story a", html="", date=None)
    second = an_item(identity=identity, url="https://press.example/b", title="Story b", html="", date=None)
    assert found([second], stored([first])) == [None]
    assert found([first], stored([first])) == [1]


def test_a_story_that_a_document_contains_twice_is_one():
    twice = [an_item(), an_item(identity="g2"), an_item(url="https://press.example/bridge?utm_medium=rss")]
    assert len(distinct(twice, pages=[])) == 1


def test_stories_on_one_page_are_several():
    page = [an_item(identity=f"g{n}", title=f"Version {n}", html="", date=NOON - n * DAY) for n in range(3)]
    assert len(distinct(page, pages=[])) == 3
    assert found(page[1:], stored(page)) == [2, 3]


def test_a_feed_that_numbers_its_entries_by_position_keeps_its_stories_apart():
    def page(*names: str):
        return [
            an_item(identity=str(place), url=f"https://press.example/{name}", title=name, html="", date=None)
            for place, name in enumerate(names, start=1)
        ]

    assert found(page("c", "a", "b"), stored(page("a", "b"))) == [None, 1, 2]


def test_an_id_is_an_identity_only_in_its_own_feed():
    other = an_item(url="https://town.example/other", title="Other", html="", date=NOON + DAY)
    edited = an_item(url="https://press.example/bridge-2", title="The bridge is open", html="")
    assert found([edited], stored([an_item()], is_here=False)) == [None]
    assert found([other], stored([an_item()], is_here=False)) == [None]


def test_a_story_in_another_feed_is_recognized_by_its_link_or_its_words():
    known = stored([an_item()], is_here=False)
    assert found([an_item(identity="x", url="https://press.example/bridge?ref=town", html="")], known) == [1]
    assert found([an_item(identity="x", url="https://reader.example/7")], known) == [1]


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Town: the bridge opens", "date": NOON + timedelta(hours=3)},
        {"title": "The bridge opens", "html": ""},
        {
            "url": "https://www.google.com/url?rct=j&url=https://press.example/bridge&usg=AO1",
            "title": "The bridge opens - Press",
            "html": "",
            "date": NOON + DAY,
        },
    ],
)
def test_an_aggregator_s_version_of_a_story_is_that_story(change):
    theirs = an_item(**{"identity": "x", "url": "https://reader.example/7", **change})
    assert found([theirs], stored([an_item()], is_here=False)) == [1]
    week = an_item(
        **{"identity": "x", **change, "url": "https://press.example/bridge", "date": NOON + 9 * DAY, "html": ""}
    )
    assert found([week], stored([an_item(title="Bridge")], is_here=False)) == [None]


def test_ids_that_differ_in_host_and_session_are_one():
    first = an_item(identity="http://press.example/story;jsessionid=1A?id=7", url=None, title="One", html="", date=None)
    again = an_item(
        identity="https://www.press.example/story?id=7&sid=00f1e2d3c4b5a697", url=None, title="Two", html="", date=None
    )
    assert found([again], stored([first])) == [1]


def test_an_id_that_is_the_title_is_none():
    last_week = an_item(identity="Weekly", title="Weekly", html="", date=NOON - 7 * DAY)
    this_week = an_item(identity="Weekly", title="Weekly", html="", url="https://press.example/2")
    assert found([this_week], stored([last_week])) == [None]


def test_without_an_id_and_a_date_the_link_is_enough():
    known = stored([an_item(identity="https://press.example/bridge", has_own_identity=False, date=None)])
    later = an_item(identity="https://press.example/bridge", has_own_identity=False, date=None, title="Open", html="")
    assert found([later], known) == [1]


def test_the_name_of_a_site_in_a_title_makes_no_other_story():
    names = ("The bridge opens", "The bridge opens - Press", "The bridge opens | Town Gazette")
    plain, press, gazette = (
        an_item(
            identity=name, url=f"https://{number}.example/x", title=name, html=f"<p>Text number {number}, its own.</p>"
        )
        for number, name in enumerate(names)
    )
    for one, other, expected in ((plain, press, 1), (gazette, plain, 1), (press, gazette, None)):
        assert found([other], stored([one], is_here=False)) == [expected]
        assert found([other], stored([one])) == [None]


IDENTITIES = st.sampled_from(["g1", "g2", "1", "https://press.example/a", "https://press.example/"])
URLS = st.sampled_from(
    [None, HOME, *(f"https://press.example/{path}" for path in ("", "a", "a?utm_id=1", "b", "a#v2"))]
)
ITEMS = st.builds(
    an_item,
    identity=IDENTITIES,
    url=URLS,
    title=st.sampled_from(["A", "B", "Some longer title of a story"]),
    html=st.sampled_from(["", LONG, LONG + "<p>More.</p>"]),
    date=st.sampled_from([None, NOON, NOON + DAY]),
    has_own_identity=st.booleans(),
)


@given(st.lists(ITEMS, max_size=8))
def test_a_document_offered_again_has_no_new_story(entries):
    known = stored(entries)
    assert sorted(found(entries, known)) == [article.id for article in known]


@given(st.lists(ITEMS, max_size=8), st.randoms())
def test_no_order_of_the_entries_makes_new_stories(entries, random):
    once = [entry for entry, _ in distinct(entries, pages=[HOME])]
    known = stored(once)
    random.shuffle(once)
    assert None not in found(once, known)


@given(st.lists(ITEMS, max_size=6), st.lists(ITEMS, max_size=6))
def test_no_article_is_two_stories(before, after):
    matches = [match for match in found(after, stored(before)) if match]
    assert len(matches) == len(set(matches))


@given(st.lists(ITEMS, max_size=4), st.lists(ITEMS, max_size=4))
def test_stories_stay_recognized_when_others_come(before, new):
    """The next document is read as the database would be: each story takes its newest keys, and new ones are added."""
    stories = [keys for _, keys in distinct([*new, *before], pages=[HOME])]
    known = {article.id: article for article in stored(before)}
    for place, match in enumerate(recognize(stories, known.values())):
        number = match or len(known) + 1
        known[number] = KnownArticle(id=number, is_here=True, keys=stories[place])
    assert None not in recognize(stories, known.values())


def test_two_thousand_equal_entries_match_one_article_each():
    same = [StoryKeys(identity="1", link="l", page="p", path="p", text="t", title="T", date=NOON)] * 2000
    known = [KnownArticle(id=n, is_here=True, keys=keys) for n, keys in enumerate(same, start=1)]
    assert recognize(same, known) == [article.id for article in known]
