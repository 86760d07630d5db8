import re
from datetime import UTC, datetime

import pytest
from jinja2 import UndefinedError

from newsletter import templating
from newsletter.languages.languages import ENGLISH

NOON = datetime(2026, 10, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def environment():
    return templating.environment()


def test_templates_are_found_beside_the_package_in_a_checkout():
    assert (templating.templates_dir() / "base.html").is_file()


def test_a_missing_name_raises(environment):
    with pytest.raises(UndefinedError, match="newsletter"):
        environment.from_string("{{ newsletter }}").render()


def test_html_is_escaped_and_text_is_not(environment):
    context = {"title": '<b> & "b" {{ 7*7 }}', "url": "/"}
    html = environment.from_string("{{ title }}").render(context)
    assert html == "&lt;b&gt; &amp; &#34;b&#34; {{ 7*7 }}"
    assert environment.autoescape("letters/digest/body.txt") is False
    assert environment.autoescape("letters/digest/body.html") is True


@pytest.mark.parametrize(
    ("zone", "written"),
    [
        ("Europe/Berlin", "Thursday 22 October 2026 at 14:00:00 (UTC+2)"),
        ("America/New_York", "Thursday 22 October 2026 at 08:00:00 (UTC−4)"),  # noqa: RUF001, a true minus
        ("Asia/Kathmandu", "Thursday 22 October 2026 at 17:45:00 (UTC+5:45)"),
        ("Pacific/Kiritimati", "Friday 23 October 2026 at 02:00:00 (UTC+14)"),
        ("UTC", "Thursday 22 October 2026 at 12:00:00 (UTC)"),
    ],
)
def test_a_time_is_shown_with_the_offset_of_its_zone(zone, written):
    assert ENGLISH.exactly(templating.local(NOON, zone)) == written


def test_the_repeated_hour_at_the_end_of_dst_is_unambiguous():
    first, second = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))
    assert ENGLISH.when(templating.local(first, "Europe/Berlin")) == "Sunday 25 October 2026 at 02:30 (UTC+2)"
    assert ENGLISH.when(templating.local(second, "Europe/Berlin")) == "Sunday 25 October 2026 at 02:30 (UTC+1)"


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="without a zone"):
        ENGLISH.when(NOON.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("names", "sentence"), [(["A"], "A"), (["A", "B"], "A and B"), (iter(["A", "B", "C"]), "A, B and C")]
)
def test_names_are_listed_as_in_a_sentence(names, sentence):
    assert ENGLISH.listed(names) == sentence


def test_one_line_removes_line_breaks():
    assert templating.one_line(" A\r\n\ttitle\N{LINE SEPARATOR}in parts ") == "A title in parts"


def test_a_url_is_shown_without_its_scheme():
    assert templating.without_scheme("https://letters.example/n/morning/") == "letters.example/n/morning"


@pytest.mark.parametrize(
    ("address", "html"),
    [
        ("ana.b@mail.example", '<bdi dir="ltr">ana.<wbr>b@<wbr>mail.<wbr>example</bdi>'),
        ("<b>@example.", '<bdi dir="ltr">&lt;b&gt;@<wbr>example.</bdi>'),
        ("", '<bdi dir="ltr"></bdi>'),
    ],
)
def test_a_line_may_end_after_the_at_sign_and_the_dots_of_an_address(address, html):
    assert templating.as_address(address) == html


@pytest.mark.parametrize(("language", "way"), [("en", "ltr"), ("de-AT", "ltr"), ("he", "rtl"), ("AR-EG", "rtl")])
def test_a_language_has_a_direction(language, way):
    assert templating.direction(language) == way


def test_compiled_templates_hold_nothing_of_one_language():
    """A filter of a literal would be computed while compiling, and its result shared by all languages."""
    by_language = r"\|\s*(?:day|exactly|listed|number|text|when)\b"
    sources = {path: path.read_text() for path in templating.templates_dir().rglob("*.*")}
    assert len(sources) > 40
    assert not [path for path, source in sources.items() if re.search(rf"""["'\d]\s*{by_language}""", source)]


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        *[("number", "12", "number"), ("number", "twelve", "text"), ("number", "", "number")],
        *[("date", "2026-02-28", "date"), ("date", "2026-02-31", "text")],
        *[("datetime-local", "2026-02-28T09:00", "datetime-local"), ("datetime-local", "next Friday", "text")],
        *[("color", "#0F5c6e", "color"), ("color", "teal", "text"), ("email", "nobody", "email")],
    ],
)
def test_a_control_is_of_its_kind_only_where_it_can_show_the_value(kind, value, shown):
    assert templating.control(kind, value) == shown
