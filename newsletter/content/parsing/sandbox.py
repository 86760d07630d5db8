"""Parse an untrusted feed in a child process with limits on time and memory.

A tolerant parser takes quadratic time, or all memory, for a feed made to hurt it. The kernel enforces the limits
whatever the parser does, the parser does not hold our interpreter lock, and the child inherits neither our secrets nor
our connections.
"""

import json
import os
import resource
import subprocess
import sys

from pydantic import TypeAdapter

from newsletter.content.parsing.decoding import FeedUnreadable
from newsletter.content.parsing.entries import ParsedFeed
from newsletter.content.parsing.parser import parse

MAX_CPU_SECONDS = 5
MAX_MEMORY = 1 << 30  # bytes
EXIT_UNREADABLE = 3
TOO_EXPENSIVE = "The document takes too much time or memory to read."

feed_adapter = TypeAdapter(ParsedFeed)


def read(body: bytes, *, url: str, content_type: str = "", seconds: int = MAX_CPU_SECONDS) -> ParsedFeed:
    """Parse a feed fetched from `url` within so many seconds of CPU time. Raises FeedUnreadable with the reason."""
    head = json.dumps({"url": url, "content_type": content_type, "seconds": seconds}).encode()
    command = [sys.executable, "-P", "-m", __name__]  # -P: import nothing from the working directory
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        child = subprocess.run(  # noqa: S603 - our own interpreter and our own module
            command, input=head + b"\n" + body, env=environment, capture_output=True, timeout=3 * seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise FeedUnreadable(TOO_EXPENSIVE) from error
    if child.returncode == EXIT_UNREADABLE:
        raise FeedUnreadable(child.stdout.decode())
    if child.returncode < 0:  # killed by a signal, because it exceeded a limit
        raise FeedUnreadable(TOO_EXPENSIVE)
    if child.returncode:
        last_line = child.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise FeedUnreadable(f"The document could not be read: {last_line}")
    return feed_adapter.validate_json(child.stdout)


def main() -> int:
    """Run in the child: read a line of JSON and the body from standard input, write the feed to standard output."""
    head = json.loads(sys.stdin.buffer.readline())
    resource.setrlimit(resource.RLIMIT_CPU, (head["seconds"], head["seconds"]))
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    try:
        feed = parse(sys.stdin.buffer.read(), url=head["url"], content_type=head["content_type"])
    except (FeedUnreadable, MemoryError) as error:
        sys.stdout.write(str(error) or TOO_EXPENSIVE)
        return EXIT_UNREADABLE
    sys.stdout.buffer.write(feed_adapter.dump_json(feed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
