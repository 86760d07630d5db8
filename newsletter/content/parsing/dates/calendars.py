"""Turn the years of other calendars into those of the Gregorian one: Buddhist, Japanese, of Taiwan, and of Iran."""

import re
from collections.abc import Sequence
from datetime import date, timedelta

from newsletter.content.parsing.dates.date_text import key

BUDDHIST_YEARS = range(2400, 2700)
BUDDHIST_ERA = 543  # years before ours
# Two digits of a Buddhist year, after a day and a month in Thai letters.
SHORT_THAI_YEAR = re.compile(r"((?<!\d)\d{1,2}(?=[. ]*[\u0e00-\u0e7f])[\u0e00-\u0e7f. ]+)(\d\d)(?![\d:.])")
ERAS = {"令和": 2018, "平成": 1988, "民國": 1911, "民国": 1911}  # the year before each begins
ERA_YEAR = re.compile(rf"({'|'.join(ERAS)}) ?(\d{{1,3}}|元)")

# The solar Hijri calendar, whose year begins in March. Years of the lunar one with these numbers are before the Web.
SOLAR_HIJRI_YEARS = range(1370, 1412)
NEW_YEAR_1370 = date(1991, 3, 21)
DAYS_IN_LONG_MONTH, LONG_MONTHS = 31, 6
LEAP_CYCLE = 33  # years
LEAP_YEARS = (1, 5, 9, 13, 17, 22, 26, 30)  # of a cycle
SOLAR_HIJRI_NAMES = (
    "فروردین اردیبهشت خرداد تیر مرداد شهریور مهر آبان آذر دی بهمن اسفند",
    "حمل ثور جوزا سرطان اسد سنبله میزان عقرب قوس جدی دلو حوت",
)
SOLAR_HIJRI_MONTHS = {
    key(name): month for names in SOLAR_HIJRI_NAMES for month, name in enumerate(names.split(), start=1)
}


def with_common_years(text: str) -> str:
    """Return a normalized text with the years of Japanese and Taiwanese eras, and short Thai ones, in full."""
    if text.isascii():
        return text
    text = ERA_YEAR.sub(lambda era: str(ERAS[era[1]] + (1 if era[2] == "元" else int(era[2]))), text)
    return SHORT_THAI_YEAR.sub(r"\g<1>25\g<2>", text)


def common_year(year: int) -> int:
    """Return the Gregorian year of a year that may be Buddhist."""
    return year - BUDDHIST_ERA if year in BUDDHIST_YEARS else year


def solar_hijri_month(parts: Sequence[str]) -> int | None:
    """Return the month of Iran's calendar that the words of a date name, if its year is one of that calendar."""
    if not any(part.isdecimal() and int(part) in SOLAR_HIJRI_YEARS for part in parts):
        return None
    return next((SOLAR_HIJRI_MONTHS[part] for part in parts if part in SOLAR_HIJRI_MONTHS), None)


def day_of(year: int, month: int, day: int) -> date:
    """Return the day of a Gregorian date, or of one in Iran's calendar. Raises ValueError if it does not exist."""
    if year not in SOLAR_HIJRI_YEARS:
        return date(year, month, day)
    is_long = month <= LONG_MONTHS
    if not (1 <= month <= 12 and 1 <= day <= DAYS_IN_LONG_MONTH - (not is_long)):
        raise ValueError(day)
    leap_days = sum(earlier % LEAP_CYCLE in LEAP_YEARS for earlier in range(SOLAR_HIJRI_YEARS.start, year))
    days = (year - SOLAR_HIJRI_YEARS.start) * 365 + leap_days + (month - 1) * 30 + min(month - 1, LONG_MONTHS) + day - 1
    return NEW_YEAR_1370 + timedelta(days=days)
