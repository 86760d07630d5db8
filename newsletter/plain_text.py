"""Which characters entered text may not hold: those that nobody sees, and that change how what follows is shown."""

import re

CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # in text of several lines
# In one line: controls, line separators, bidirectional overrides and surrogates. Joiners are allowed: names in Persian
# and Hindi need them.
UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
