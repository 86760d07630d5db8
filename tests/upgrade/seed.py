"""Fill a database by the code of the release whose tree PYTHONPATH names, which may be older than this file.

python tests/upgrade/seed.py DATABASE_URL READERS SEED
"""

import sys
from contextlib import closing

from tests.chaos import readers

if __name__ == "__main__":
    url, number, seed = sys.argv[1:]
    with closing(readers.Database(url)) as database:  # each release keeps the class in another module
        # A release before this function got its name calls it `settled`.
        insert = getattr(readers, "insert_newsletter", None) or readers.settled
        insert(database, int(number), seed=int(seed))
