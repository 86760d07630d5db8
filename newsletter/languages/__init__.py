"""The languages of the fixed words that visitors and readers see, and how each writes dates, numbers and lists.

tags             language tags (BCP 47): their form, direction, and the choice among several (RFC 4647)
accept_language  the languages that a browser asks for
translatable     texts that are translated later, with their values
catalogues       the translations in newsletter/locale/, as gettext reads them
catalogue_check  what keeps a catalogue from being compiled
compilation      catalogues are compiled when the package is installed
pseudo           a language that marks every text of the catalogues
languages        a language: its words and its formats
isolation        values whose script runs against the text around them
"""
