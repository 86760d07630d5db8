"""A real Postfix that accepts letters on loopback and relays them to another server."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.servers.missing_servers import missing
from tests.servers.server import Server, ServerError, find_program, folder_for, free_port, listens

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = {commands}
daemon_directory = {daemons}
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
myhostname = relay.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
biff = no
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access inline:{{{refusals}}}, permit
relayhost = [127.0.0.1]:{next_hop}
smtp_tls_security_level = none
smtpd_tls_security_level = none
"""

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix(NamedTuple):
    """The address that Postfix listens on."""

    host: str
    port: int


@contextmanager
def running_postfix(*, refused: Iterable[str], next_hop: int) -> Iterator[Postfix]:
    """Run a Postfix that refuses these recipients as unknown and relays other letters to port `next_hop`."""
    program, daemons = find_program("postfix"), Path("/usr/lib/postfix/sbin")
    if not program or not (daemons / "master").exists():
        missing("Postfix")
    if os.geteuid() != 0:
        pytest.skip("only root may start Postfix")
    port, folder = free_port(), folder_for("root")
    folder.chmod(0o755)
    refusals = ", ".join(f"{{ {address} = 550 5.1.1 user unknown }}" for address in refused)
    places = {"folder": folder, "commands": program.parent, "daemons": daemons}
    (folder / "main.cf").write_text(MAIN.format(**places, refusals=refusals, next_hop=next_hop))
    (folder / "master.cf").write_text(MASTER.format(port=port))
    (folder / "queue").mkdir()
    server = Server([program, "-c", folder, "start-fg"], folder, user="root")
    try:
        server.wait_until(lambda: listens(port))
    except ServerError as error:
        missing("Postfix", str(error))
    yield Postfix("127.0.0.1", port)
    server.stop()
