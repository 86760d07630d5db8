"""The benchmark of the desk.

benchmark      the whole run: data, site, every page
rows           millions of generated rows, inserted by SQL
routes         the desk's pages, each with an example of the object that it shows
counted_site   the site, which also tells how many statements a page needed
measures       the figures of one page
report         the figures as text
"""
