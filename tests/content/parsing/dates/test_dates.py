# ruff: noqa: RUF001 - texts of many languages
"""Dates: every form in which feeds state them, the languages of CLDR, and those that nobody can believe."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import cache
from time import process_time

import pytest
from babel import localedata
from babel.dates import format_date
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.parsing.dates.dates import parse_date

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
TEN = datetime(2026, 11, 28, 10, tzinfo=UTC)
DAY = datetime(2026, 11, 28, tzinfo=UTC)
AFTERNOON = datetime(2026, 11, 28, 15, 5, tzinfo=UTC)
# Languages that CLDR gives numbers for names, or one name for two months.
UNREADABLE = {"bo", "ckb", "dyo", "mgo", "mic", "sid", "yrl"}

DOT_AFTER_LETTER = re.compile(r"(?<=[^\W\d])\.")


def read(text: str, language: str = "") -> datetime | None:
    return parse_date(text, language=language, now=NOW)


@pytest.mark.parametrize(
    "text",
    [
        "Sat, 28 Nov 2026 10:00:00 GMT",
        "Sat, 28 Nov 2026 11:00:00 +0100",
        "Sat, 28 Nov 26 10:00 UT",
        "28 Nov 2026 10:00:00",
        "Mon, 28 Nov 2026 10:00:00 Z",
        "sat,28 nov 2026 10:00:00 -0000",
        "Sat, 28 Nov 2026 11:00:00 +0100 (CET)",
        "Sat, 28 Nov 2026 11:00:00 (CET)",
        "Sat, 28 (the 4th) Nov 2026 10:00",
        "Sat Nov 28 10:00:00 2026",
        "Sat Nov 28 11:00:00 CET 2026",
        "Sat Nov 28 2026 11:00:00 GMT+0100 (Central European Standard Time)",
        "28-Nov-2026 10:00",
        "10:00, 28 Nov 2026",
    ],
)
def test_the_dates_of_rss_are_read(text):
    assert read(text) == TEN


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-28T10:00:00Z",
        "2026-11-28T11:00:00+01:00",
        "2026-11-28T05:00:00.123-05",
        "2026-11-28T10:00:00,5-0000",
        "2026-11-28 10:00:00",
        "2026-11-28t10:00z",
        "2026-11-28T10Z",
        "2026-11-28T11:00:00+01:00[Europe/Berlin]",
        "20261128T100000Z",
        "20261128T1100+01",
        "20261128100000",
        "20261128-100000",
        "2026-11-28T100000Z",
        "202611281000",
        "2026-W48-6T10:00:00Z",
        "2026W486T100000Z",
        "2026-332T10:00Z",
        "2026/11/28 10:00:00",
        "2026.11.28 10:00",
    ],
)
def test_the_dates_of_atom_and_other_forms_of_iso_8601_are_read(text):
    assert read(text) == TEN


@pytest.mark.parametrize(
    "text",
    [
        *["2026-11-28", "20261128", "2026-332", "2026-W48-6", "28.11.2026", "28.11.26", "28/11/2026", "Nov 28, 2026"],
        *["28 November 2026", "November 28th, 2026", "Sat, 28-Nov-26", "11/28/2026", "28 Nov 2026 00:00 Uhr"],
    ],
)
def test_a_date_without_a_time_is_midnight(text):
    assert read(text) == DAY


def test_a_month_is_its_first_day_and_a_year_is_no_date():
    assert read("2026-11") == read("11/2026") == read("November 2026") == datetime(2026, 11, 1, tzinfo=UTC)
    assert read("2026") is None


def test_seconds_and_smaller_units_since_1970_are_read():
    for text in (
        "@1795860000",
        "/Date(1795860000000)/",
        "1795860000",
        "1795860000000",
        "1795860000000000",
        "1795860000.25",
        "1795860000,0",
    ):
        assert read(text) == TEN


@pytest.mark.parametrize(
    "text",
    [
        "28.11.2026 10:00",
        "Saturday, 28. November 2026 um 10:00 Uhr",
        "Samstag, 28. November 2026, 10 Uhr",
        "la 28.11.2026 klo 10.30",
        "lauantai 28. marraskuuta 2026 klo 10.30",
        "28 novembre 2026 à 10h30",
        "Sáb, 28 nov 2026 10:00",
        "sábado, 28 de noviembre de 2026 10:00",
        "28 DE NOVEMBRO DE 2026 10:00",
        "Сб, 28 ноя 2026 10:00",
        "28 ноября 2026 г. в 10:00",
        "Σάβ, 28 Νοε 2026 12:00:00 +0200",
        "2026. november 28., szombat 10:00",
        "28 Kasım 2026 Cumartesi 10:00",
        "28 THÁNG 11, 2026 10:00",
        "28 พ.ย. 2569 10:00",
        "28 พฤศจิกายน 2026 10:00",
        "2026年11月28日 10:00",
        "2026年11月28日(土) 10時00分",
        "2026년 11월 28일 오전 10:00",
        "28 נובמבר 2026 10:00",
        "28 בנובמבר 2026 10:00",
        "٢٨ نوفمبر ٢٠٢٦ ١٠:٠٠",
        "۲۸ نوامبر ۲۰۲۶ ۱۰:۰۰",
        "२८ नवंबर २०२६ १०:००",
        "２０２６－１１－２８ １０：００",
    ],
)
def test_dates_in_words_of_a_language_are_read_without_knowing_which(text):
    assert read(text) in {TEN, TEN + timedelta(minutes=30)}


@pytest.mark.parametrize(
    "text",
    [
        *["28 Nov 2026 3:05 PM", "28 nov 2026 3:05 p. m.", "28 Nov 2026 3.05pm", "2026年11月28日星期六下午3:05"],
        *["2026년 11월 28일 오후 3:05", "28 نوفمبر 2026 3:05 م", "28 Νοε 2026 3:05 μ.μ.", "28 Nov 2026 10:05 AM EST"],
    ],
)
def test_the_part_of_the_day_counts(text):
    assert read(text) == AFTERNOON


def test_noon_and_midnight_are_twelve():
    assert read("28 Nov 2026 12:00 AM") == DAY
    assert read("28 Nov 2026 12:00 PM") == DAY + timedelta(hours=12)
    assert read("27 Nov 2026 24:00") == DAY
    assert read("27 Nov 2026 23:59:60") == DAY - timedelta(seconds=1)
    assert read("28 Nov 2026 25:99") == DAY


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        *[
            ("CET", 1),
            ("CEST", 2),
            ("BST", 1),
            ("JST", 9),
            ("EST", -5),
            ("EDT", -4),
            ("PST", -8),
            ("MSK", 3),
            ("МСК", 3),
        ],
        *[("AEST", 10), ("IST", 5.5), ("NPT", 5.75), ("GMT", 0), ("UTC+02:00", 2), ("GMT-3", -3), ("+0545", 5.75)],
        *[("-5", -5), ("MEZ", 1), ("Europe/Berlin", 1), ("America/Port-au-Prince", -5), ("Etc/GMT+5", -5), ("ET", -5)],
        *[("A", 0), ("Nowhere/Land", 0), ("+9900", 0)],
    ],
)
def test_zones_are_known_by_name(zone, hours):
    assert read(f"Sat, 28 Nov 2026 12:00:00 {zone}") == DAY + timedelta(hours=12 - hours)


def test_the_language_decides_what_a_zone_means():
    assert read("28 Nov 2026 12:00 IST", "he-IL") == DAY + timedelta(hours=10)
    assert read("28 Nov 2026 12:00 CST", "zh-cn") == DAY + timedelta(hours=4)
    assert read("28 Nov 2026 12:00 EST", "en-AU") == DAY + timedelta(hours=2)


def test_the_language_decides_the_order_of_numbers_and_what_a_name_means():
    april, may = datetime(2026, 4, 5, tzinfo=UTC), datetime(2026, 5, 4, tzinfo=UTC)
    assert {language: read("04/05/2026", language) for language in ("en-US", "en_us", "fil")} == dict.fromkeys(
        ("en-US", "en_us", "fil"), april
    )
    for language in ("", "en-GB", "de", "x-unknown", "no such language", "!"):
        assert read("04/05/2026", language) == may
    assert read("04.05.2026", "en-US") == may
    assert read("13/05/2026", "en-US").day == read("05/13/2026", "de").day == 13
    assert read("14. listopada 2026", "hr").month == 10
    assert read("14 listopada 2026", "pl").month == 11
    assert read("28. Jänner 2026", "de-AT") == read("28. Jänner 2026") == datetime(2026, 1, 28, tzinfo=UTC)


def test_a_day_of_the_week_is_no_month():
    assert read("mar, 24 nov 2026", "es") == read("mar. 24 nov. 2026", "fr") == datetime(2026, 11, 24, tzinfo=UTC)
    assert read("mar. 3 mars 2026", "fr") == datetime(2026, 3, 3, tzinfo=UTC)


def test_two_digits_of_a_year_mean_what_rfc_5322_says():
    assert [read(f"1 Jan {year} 00:00").year for year in ("26", "99", "126", "00")] == [2026, 1999, 2026, 2000]


@pytest.mark.parametrize(
    "text",
    [
        *["Thu, 01 Jan 1970 00:00:00 GMT", "0", "-1", "1", "0000-00-00 00:00:00", "0001-01-01T00:00:00Z", "1795-08-28"],
        *["1900-01-01", "1980-01-01", "9999-12-31T23:59:59Z", "2099-01-01", "2026-02-30", "31 Nov 2026"],
        *[
            "2026-13-45",
            "2026-W60-1",
            "2026-000",
            "2027-366",
            "yesterday",
            "3 hours ago",
            "",
            "28 Nov",
            "10:00",
            "1.2.3.4",
        ],
        *["1/1/0001 12:00:00 AM", "01-Jan-70", "Sat, 28 Xyz 2026", "1405-12-31", "1405-07-31"],
        *["9" * 1000, "99999999999999999999"],
    ],
)
def test_what_nobody_can_believe_is_no_date(text):
    assert read(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *[
            "令和8年11月28日",
            "民國115年11月28日",
            "中華民國 115 年 11 月 28 日 00:00",
            "28 พ.ย. 69",
            "28 พฤศจิกายน 69 00:00 น.",
        ],
        *["28/11/2569", "28 พฤศจิกายน พ.ศ. 2569", "شنبه ۷ آذر ۱۴۰۵", "۱۴۰۵/۰۹/۰۷ ۰۰:۰۰", "1405-09-07", "۷ قوس ۱۴۰۵"],
    ],
)
def test_the_years_of_other_calendars_are_read(text):
    assert read(text) == DAY


def test_a_long_text_in_thai_letters_is_read_at_once():
    assert read("1 ก") is None  # the first such text of a process loads the names of all languages
    started = process_time()
    assert read("1" + "ก" * 190) is None
    assert process_time() - started < 1


def test_the_calendar_of_iran_has_leap_years_of_its_own():
    days = {"30 اسفند 1403": (2025, 3, 20), "1 فروردین 1404": (2025, 3, 21), "1 مهر 1400": (2021, 9, 23)}
    days |= {"30 دی 1404": (2026, 1, 20), "1 فروردین 1370": (1991, 3, 21), "22 بهمن 1399": (2021, 2, 10)}
    for text, day in days.items():
        assert read(text) == datetime(*day, tzinfo=UTC)
    assert read("平成元年1月8日") is None  # before the Web
    assert read("令和元年5月1日").year == 2019


def test_months_as_wordpress_abbreviates_them_are_read():
    assert [read(f"Sat, 28 {month} 2026").month for month in ("Mrz", "Rgs", "Окт", "נוב", "Ağu", "Paź", "ноем.")] == [
        *[3, 9, 10, 11, 8, 10, 11]
    ]


def test_a_date_to_come_is_a_date():
    assert read("Mon, 01 Mar 2027 09:00:00 GMT") == datetime(2027, 3, 1, 9, tzinfo=UTC)


@cache
def languages() -> list[str]:
    known = localedata.locale_identifiers()
    return sorted(set(filter(re.compile(r"[a-z]{2,3}(_[A-Z][a-z]{3})?").fullmatch, known)) - UNREADABLE)


@given(st.data(), st.dates(date(1992, 1, 1), date(2027, 12, 31)), st.sampled_from(["full", "long", "medium"]))
def test_what_a_language_writes_is_read(data, day, form):
    language = data.draw(st.sampled_from(languages()))
    written = format_date(day, form, locale=language)
    for text in (written, written.upper(), DOT_AFTER_LETTER.sub("", written)):
        assert read(text, language.replace("_", "-")) == datetime(day.year, day.month, day.day, tzinfo=UTC)


@given(
    st.text(max_size=250) | st.from_regex(r"[0-9:./ +TZ-]{1,40}", fullmatch=True),
    st.text(max_size=12) | st.sampled_from(["en-US", "de", "zh_Hant_TW", "ar-EG", "x-klingon", "i-default", "und"]),
)
def test_any_text_is_a_date_or_none(text, language):
    moment = read(text, language)
    assert moment is None or datetime(1991, 1, 1, tzinfo=UTC) <= moment <= NOW + timedelta(days=730)


@given(
    st.lists(st.sampled_from(["28", "Nov", "nov.", "2026", "10:00", "+0100", "CET", "pm", ",", "(", ")", "мар", "11"]))
)
def test_any_order_of_words_is_a_date_or_none(words):
    read(" ".join(words))
