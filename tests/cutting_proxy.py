"""A proxy before the server that cuts a connection when a transaction was committed and the answer has not gone out."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_READY = b"Z"  # the server has done all it was asked for
_PARSE, _BIND, _QUERY = b"P", b"B", b"Q"  # a statement is given a name; one of a name is to run; one is to run
_OUTSIDE_A_TRANSACTION = b"I"
_LENGTH_BYTES = 4


class CuttingProxy:
    """Passes messages on until it is told to cut.

    Args:
        server: Connection string of the database behind it.
    """

    def __init__(self, server: str) -> None:
        parameters = conninfo_to_dict(server)
        self._server = (str(parameters["host"]), int(str(parameters["port"])))
        self._listener = socket.create_server(("127.0.0.1", 0))
        # Nothing is encrypted, so that messages can be told apart.
        here = {"port": self._listener.getsockname()[1], "host": "127.0.0.1", "sslmode": "disable"}
        self.url = make_conninfo("", **{**parameters, **here, "gssencmode": "disable"})
        self.cuts = 0
        self.seen: list[bytes] = []  # the statements that were to run, in their order
        self._statement: bytes | None = None
        self._before: Callable[[], None] = lambda: None
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, statement: bytes, before: Callable[[], None] = lambda: None) -> None:
        """Has the next statement with these words committed, alone or with its transaction, and the answer lost.

        Args:
            statement: Words of the statement.
            before: Called when the server has answered, before the client's connection is cut.
        """
        self._statement, self._before = statement, before

    def sent(self, statement: bytes) -> int:
        """How often a statement with these words was to run."""
        return sum(statement in one for one in self.seen)

    def stop_listening(self) -> None:
        """Refuses further connections, as a server that is down does."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # a blocked accept() would keep it alive
        self._listener.close()

    def close(self) -> None:
        self.stop_listening()
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # it does not listen any more
            server = socket.create_connection(self._server)
            self._sockets += [client, server]
            session = _Session(self, client, server)
            for pump in (session.pass_requests, session.pass_answers):
                threading.Thread(target=pump, daemon=True).start()

    def is_to_cut(self, statement: bytes) -> bool:
        self.seen.append(statement)
        if self._statement is None or self._statement not in statement:
            return False
        self._statement = None
        return True

    def about_to_cut(self) -> None:
        self._before()
        self.cuts += 1


class _Session:
    def __init__(self, proxy: CuttingProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._is_to_cut = False
        self._prepared: dict[bytes, bytes] = {}  # name → statement

    def pass_requests(self) -> None:
        with _until_closed(self._client, self._server):
            self._server.sendall(_message(self._client, has_type=False))  # the start of a connection has no type
            while True:
                message = _message(self._client)
                statement = self._statement(message[:1], message[1 + _LENGTH_BYTES :])
                # Set before the server can answer.
                if statement is not None and self._proxy.is_to_cut(statement):
                    self._is_to_cut = True
                self._server.sendall(message)

    def _statement(self, kind: bytes, body: bytes) -> bytes | None:
        """Gives the statement that a message has the server run, if it is one that does."""
        if kind == _QUERY:
            return body
        if kind == _PARSE:
            name, statement, _ = body.split(b"\0", 2)
            self._prepared[name] = statement
        elif kind == _BIND:
            _, name, _ = body.split(b"\0", 2)
            return self._prepared[name]
        return None

    def pass_answers(self) -> None:
        held_back = b""
        with _until_closed(self._client, self._server):
            while True:
                message = _message(self._server)
                if not self._is_to_cut:
                    self._client.sendall(message)
                    continue
                held_back += message
                if message[:1] == _READY:
                    if message[1 + _LENGTH_BYTES :] == _OUTSIDE_A_TRANSACTION:
                        self._proxy.about_to_cut()
                        return
                    self._client.sendall(held_back)
                    held_back = b""


@contextmanager
def _until_closed(*sockets: socket.socket) -> Iterator[None]:
    try:
        with contextlib.suppress(OSError, EOFError):
            yield
    finally:
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # wakes who reads from it, too


def _message(source: socket.socket, *, has_type: bool = True) -> bytes:
    head = _exactly(source, _LENGTH_BYTES + has_type)
    length = int.from_bytes(head[-_LENGTH_BYTES:], "big")
    return head + _exactly(source, length - _LENGTH_BYTES)


def _exactly(source: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = source.recv(size - len(received))
        if not part:
            raise EOFError
        received += part
    return received


@contextmanager
def cutting_proxy(server: str) -> Iterator[CuttingProxy]:
    """Runs one for a block."""
    proxy = CuttingProxy(server)
    try:
        yield proxy
    finally:
        proxy.close()
