"""Commands that wait to be sent over a connection, and the handlers of the replies that are awaited."""

from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum, auto

from newsletter.mail.transport.transport import Reply

# Octets of an envelope that may follow a letter in one group. If fewer octets than this are unsent, the final dot
# before them may have left.
MAX_AHEAD_OCTETS = 2048

ReplyHandler = Callable[[Reply], None]


class AwaitedReply(Enum):
    """What the relay's next reply is to."""

    COMMAND = auto()
    DATA = auto()
    FINAL_DOT = auto()


class CommandQueue:
    """Commands in their order, sent in groups if the relay offers PIPELINING (RFC 2920), otherwise one by one."""

    def __init__(self, *, pipelining: bool) -> None:
        self.awaited: deque[ReplyHandler] = deque()  # the handlers of replies to what was sent
        self._pipelining = pipelining
        self._commands: deque[bytes] = deque()
        self._handlers: deque[ReplyHandler] = deque()  # of the replies to those commands

    def __len__(self) -> int:
        return len(self._commands)

    @property
    def next_handler(self) -> ReplyHandler:
        """The handler of the reply to the first command that waits."""
        return self._handlers[0]

    def add(self, commands: Iterable[bytes], handlers: Iterable[ReplyHandler]) -> None:
        """Append commands with the handlers of their replies."""
        self._commands.extend(commands)
        self._handlers.extend(handlers)

    def send(self) -> list[bytes]:
        """Return the commands that may be sent now; their replies are awaited from now on."""
        if not self._commands or (self.awaited and not self._may_follow()):
            return []
        if not self._pipelining:
            self.awaited.append(self._handlers.popleft())
            return [self._commands.popleft()]
        group = list(self._commands)
        self.awaited += self._handlers
        self.drop()
        return group

    def drop(self) -> None:
        """Drop the commands that wait."""
        self._commands.clear()
        self._handlers.clear()

    def _may_follow(self) -> bool:
        return self._pipelining and sum(map(len, self._commands)) <= MAX_AHEAD_OCTETS
