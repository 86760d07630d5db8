"""A DNS server on loopback, UDP and TCP, that serves the zone of a test."""

import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
import pytest

UDP_LIMIT = 512  # bytes of an answer over UDP, RFC 1035 section 4.2.1; longer answers need TCP


@dataclass
class Zone:
    """Names with their records by type, names that fail, and the queries received."""

    names: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)  # SERVFAIL
    unanswered: set[str] = field(default_factory=set)
    queries: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0

    def put(self, name: str, **records: str | Sequence[str]) -> None:
        """Set a name's records; TXT of any length, without quotes."""
        kinds = self.names.setdefault(name, {})
        for kind, written in records.items():
            texts = [written] if isinstance(written, str) else list(written)
            kinds[kind] = [quoted(text) for text in texts] if kind == "TXT" else texts

    def remove(self, name: str) -> None:
        """Remove a name."""
        self.names.pop(name, None)

    def answer(self, wire: bytes, *, limit: int | None = None) -> bytes | None:
        """Return the answer to a query, None for an unanswered name; over `limit` bytes it is truncated (TC)."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.queries.append((name, kind))
        if name in self.unanswered:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if name in self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
        else:
            self._fill(response, name, kind)
        whole = response.to_wire()
        if limit and len(whole) > limit:
            response.answer.clear()
            response.flags |= dns.flags.TC
            return response.to_wire()
        return whole

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        while alias := self.names.get(name, {}).get("CNAME"):
            response.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "CNAME", f"{alias[0]}."))
            name = alias[0]
        if name not in self.names and not any(other.endswith(f".{name}") for other in self.names):
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif records := self.names.get(name, {}).get(kind):
            response.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", kind, *records))


def quoted(text: str) -> str:
    """Return TXT in zone file syntax, in strings of at most 255 characters."""
    parts = [text[start : start + 255] for start in range(0, len(text), 255)] or [""]
    return " ".join('"{}"'.format(part.replace("\\", "\\\\").replace('"', '\\"')) for part in parts)


class _Server:
    allow_reuse_address = True
    daemon_threads = True
    zone: Zone


class _Udp(_Server, socketserver.ThreadingUDPServer):
    pass


class _Tcp(_Server, socketserver.ThreadingTCPServer):
    pass


class _Datagram(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        wire, sock = self.request
        if answer := self.server.zone.answer(wire, limit=UDP_LIMIT):
            sock.sendto(answer, self.client_address)


class _Stream(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        length = int.from_bytes(self.request.recv(2, socket.MSG_WAITALL))
        if answer := self.server.zone.answer(self.request.recv(length, socket.MSG_WAITALL)):
            self.request.sendall(len(answer).to_bytes(2) + answer)


@contextmanager
def serving(names: Mapping[str, Mapping[str, str | Sequence[str]]] | None = None) -> Iterator[Zone]:
    """Serve a zone on a free port."""
    zone = Zone()
    for name, records in (names or {}).items():
        zone.put(name, **records)
    with ExitStack() as stack:
        tcp = stack.enter_context(_Tcp(("127.0.0.1", 0), _Stream))
        zone.port = tcp.server_address[1]
        udp = stack.enter_context(_Udp(("127.0.0.1", zone.port), _Datagram))
        threads = []
        for server in (tcp, udp):
            server.zone = zone
            threads.append(threading.Thread(target=server.serve_forever, args=(0.02,)))
            threads[-1].start()
            stack.callback(threads[-1].join)
            stack.callback(server.shutdown)
        yield zone


@pytest.fixture
def zone() -> Iterator[Zone]:
    """An empty zone, served on loopback."""
    with serving() as zone:
        yield zone
