"""The preferences pages: what a link in a letter shows and does, and the page of all newsletters of an address.

Letters get forwarded. So a letter's link names its own newsletter only, and can end that or everything; the page that
names all newsletters needs a link that was just mailed to the address (`mailings.preference_links`). There the reader
also chooses the language of each. No link can add anything: that takes a sign-up and its confirmation.
"""
