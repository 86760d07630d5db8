"""The preferences pages: what a link in a letter shows and does, and the page of all newsletters of an address.

Letters get forwarded. So a letter's link names its own newsletter only, and can pause or end that, or end everything.
The page that names all newsletters needs a link that was just mailed to the address (`mailings.preference_links`).
There the reader also chooses languages, name and time zone. No link subscribes anybody: a further newsletter takes a
sign-up and its confirmation.
"""
