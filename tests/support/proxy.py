"""A network between a client and PostgreSQL that can be cut at a commit, before or after the server got it."""

import contextlib
import select
import socket
import threading
from typing import Literal

Cut = Literal["before", "after"]
_COMMIT = b"COMMIT\x00"


class Proxy:
    """Forwards 127.0.0.1:`port` to the port `server`. `cut` says where the next commit is cut off, once."""

    def __init__(self, server: int) -> None:
        self.server = server
        self.cut: Cut | None = None
        self.cuts = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def drop(self) -> None:
        """Cut every connection there is."""
        while self._ends:
            _shut(self._ends.pop())

    def close(self) -> None:
        _shut(self._listening)
        self._threads[0].join()
        self._listening.close()
        self.drop()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.server))
                except OSError:
                    client.close()
                    continue
                self._ends += [client, server]
                self._threads.append(threading.Thread(target=self._forward, args=(client, server)))
                self._threads[-1].start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, contextlib.suppress(OSError):
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    if self.cut is not None and _COMMIT in data:
                        cut, self.cut, self.cuts = self.cut, None, self.cuts + 1
                        client.close()
                        if cut == "after":
                            server.sendall(data)
                            server.recv(1)
                        return
                    (server if source is client else client).sendall(data)


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
