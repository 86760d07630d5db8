"""The fork server as its parent sees it: started when it is needed, and handed a pair of sockets for each download."""

import os
import signal
import socket
import subprocess
import sys
from threading import Lock

PROGRAM = "newsletter.content.downloading.fork_server"


class ServerProcess:
    """One fork server. Any number of threads may share it."""

    def __init__(self) -> None:
        """Start it. It inherits no variable of our environment, because these hold secrets."""
        self._requests, theirs = socket.socketpair()
        self._sending = Lock()
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with theirs:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
                [sys.executable, "-P", "-m", PROGRAM],  # -P: import nothing from the working directory
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,  # Ctrl+C goes to its parent; and `kill` ends the whole group
            )

    @property
    def runs(self) -> bool:
        """Whether it has not ended. If it has, it stays a zombie until `kill`, so that no process gets its ID."""
        if self._process.returncode is not None:
            return False
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    @property
    def pid(self) -> int:
        """The process ID."""
        return self._process.pid

    def hand_over(self, answer: socket.socket, ending: socket.socket, *, seconds: float) -> None:
        """Let a child answer on one socket, in so many seconds at most. Raises OSError if the server is gone."""
        with self._sending:
            message = round(seconds * 1000).to_bytes(4, "big")
            socket.send_fds(self._requests, [message], [answer.fileno(), ending.fileno()])

    def kill(self) -> None:
        """End it and its children at once; do nothing the second time."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._requests.close()
