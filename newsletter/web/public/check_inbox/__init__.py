"""The answer to a sign-up: where the letter is, and how to mend what went wrong.

page                  the page, rendered once for each offer, with what each visitor entered
filled_page           a rendered page with places for a visitor's values
webmail               where well-known mailbox providers show their letters
address_suggestions   what a mistyped domain was probably meant to be
"""
