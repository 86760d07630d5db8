"""Reading: a stranger's feed is parsed in a process of its own, which ends with it or is ended.

Parsers that understand every feed in the wild also take quadratic time, or all memory, for one that was made to hurt.
The kernel's limits hold whatever the parser does, no thread of ours waits for it with the interpreter locked, and the
child inherits neither our secrets nor our connections.
"""

import json
import os
import resource
import subprocess
import sys

from pydantic import TypeAdapter

from newsletter.content.parsing.decoding import NotAFeed
from newsletter.content.parsing.entries import ParsedFeed
from newsletter.content.parsing.parser import parse

MAX_SECONDS = 5
MAX_MEMORY = 1 << 30
REFUSED = 3
TOO_MUCH = "It takes more time or memory to read than a feed should."

parsed = TypeAdapter(ParsedFeed)


def read(body: bytes, *, url: str, content_type: str = "", seconds: int = MAX_SECONDS) -> ParsedFeed:
    """Parse what came from `url`, within so many seconds of processor time. Raises NotAFeed with the reason."""
    head = json.dumps({"url": url, "content_type": content_type, "seconds": seconds}).encode()
    command = [sys.executable, "-P", "-m", __name__]  # -P: a file in the working directory is no module of ours
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and our own module
            command, input=head + b"\n" + body, env=environment, capture_output=True, timeout=3 * seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NotAFeed(TOO_MUCH) from error
    if done.returncode == REFUSED:
        raise NotAFeed(done.stdout.decode())
    if done.returncode < 0:  # ended by a signal: the kernel's limits
        raise NotAFeed(TOO_MUCH)
    if done.returncode:
        raise NotAFeed(f"It could not be read: {done.stderr.decode(errors='replace').strip().rpartition(chr(10))[2]}")
    return parsed.validate_json(done.stdout)


def main() -> int:
    """The child: a line of JSON and the body on the standard input, the entries on the standard output."""
    head = json.loads(sys.stdin.buffer.readline())
    resource.setrlimit(resource.RLIMIT_CPU, (head["seconds"], head["seconds"]))
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    try:
        feed = parse(sys.stdin.buffer.read(), url=head["url"], content_type=head["content_type"])
    except (NotAFeed, MemoryError) as error:
        sys.stdout.write(str(error) or TOO_MUCH)
        return REFUSED
    sys.stdout.buffer.write(parsed.dump_json(feed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
