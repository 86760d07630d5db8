"""Find where sentences end, in the languages that mark their ends.

A full stop ends no sentence after an abbreviation, an initial, or a number that may be an ordinal ("am 3. Mai").
Missing an end costs less than inventing one: a text cut after "Dr." reads as a mistake.
"""
# ruff: noqa: RUF001 - abbreviations in other alphabets

import re
from collections.abc import Iterator

# A mark with the quotation marks and brackets that close after it: before a space, or in a script without spaces.
END = re.compile(
    r"[.!?\u2026\u061f\u06d4\u0964\u0965\u0589\u1362]+['\")\]\u2018\u2019\u201c\u201d\u00ab\u00bb\u2039\u203a]*(?=\s|$)"
    r"|[\u3002\uff01\uff1f\uff61\u104b\u17d4]+[\u300d\u300f\u201d\uff09\u3011\u2019]*"
)
LAST_WORD = re.compile(r"\w[\w.'\u2019-]*$")
ORDINAL = re.compile(r"\d{1,3}|[IVXL]+")
# A dot between letters, as in "z.B." and "U.S.", or a single letter, as in "J. R." and "z. B."
DOTTED = re.compile(r"(?:[^\W\d_]{1,3}\.)+[^\W\d_]{1,3}|[^\W\d_]")
LONGEST_ABBREVIATION = 4  # characters of one that the tables lack; a longer word before a small letter ends a sentence
WORD_REACH = 40  # characters: how far back the word before a full stop is looked for


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Never the last word of a sentence: of English, German, French, Spanish and Italian, Dutch, Polish and Portuguese,
# Scandinavian, Czech and Russian.
ABBREVIATIONS = _words("""
    mr mrs ms mx dr prof rev hon gen col maj capt lt cmdr sgt gov sen rep pres st ste mt ft jr vs etc al approx appt
    dept inc ltd corp bros ca cf viz resp ave blvd rd messrs
    hr fr frl nr bd bzw dgl dipl ebd evtl exkl ggf hrsg inkl mio mrd mwst okt sog sogen stk std tsd usw vgl zzgl geb
    gest verh allg jh jhd jhdt kath str
    mme mlle mm mgr cie env janv févr juil boul chap éd ibid sr sra srta sres dra lic avda av núm pág págs aprox uds
    vds pte gral sig sigg dott avv geom pagg ecc
    dhr mevr mw drs ir blz bijv bv enz incl excl np hab inż płk mjr kpt św ul pl godz tzw tzn tj wg tys mln mld itd itp
    eng exmo exma profa ltda séc
    dvs osv kl tř např tzv apod atd г гг ул им тыс млн млрд руб стр
""")
# An abbreviation only before a number: "No. 5", "Sat. 14 March"; else a word that may end a sentence.
BEFORE_NUMBERS = _words("""
    no nos vol art abs fig figs pp pg sec ch kap cap par max min tel ext jan feb mar apr jun jul aug sep sept oct nov
    dec dez mon tue tues wed thu thur thurs fri sat sun set out ago gen ott pag str st
""")


def ends(text: str, limit: int) -> Iterator[int]:
    """Yield the positions after each sentence that ends within the first `limit` characters, in order."""
    for match in END.finditer(text, 0, min(len(text), limit + 1)):
        if match.end() <= limit and _is_end(text, match):
            yield match.end()


def _is_end(text: str, mark: re.Match[str]) -> bool:
    rest = text[mark.end() : mark.end() + 4].lstrip()
    goes_on = rest[:1].islower() and rest.islower()  # but "iOS" and "eBay" begin a sentence as well
    if mark[0][0] != "." or len(mark[0]) > 1:
        return not goes_on  # "Really?" she asked.
    word = LAST_WORD.search(text[max(0, mark.start() - WORD_REACH) : mark.start()])
    if not word or not rest:  # at the end of the text, even an abbreviation ends a sentence
        return True
    name = word[0].lower()
    if goes_on and len(name) <= LONGEST_ABBREVIATION:
        return False
    is_abbreviation = name in ABBREVIATIONS or (name in BEFORE_NUMBERS and rest[0].isdecimal())
    return not (is_abbreviation or ORDINAL.fullmatch(word[0]) or DOTTED.fullmatch(word[0]))
