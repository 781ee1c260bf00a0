"""A proxy in front of a page, which can fail before the server got a request, or after it."""

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

Mode = Literal["open", "shut", "lossy"]


class Gateway:
    """Forwards what is asked of `url` to the server at `server`.

    Where it is "shut" it answers 502 by itself; where it is "lossy" a choice reaches the server, and its answer nobody.
    `heard` is all that went through it, each request with its answer.
    """

    def __init__(self, server: str) -> None:
        self.mode: Mode = "open"
        self.refused = 0
        self.lost = 0
        self.heard: list[str] = []
        self._to = str(urlsplit(server).netloc)
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                gateway._pass(self, b"")

            def do_POST(self) -> None:
                gateway._pass(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._listening.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._listening.server_port}"
        self._thread = threading.Thread(target=self._listening.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        self._listening.shutdown()
        self._thread.join()
        self._listening.server_close()

    def pairs(self) -> list[dict[str, Any]]:
        """Every pair that came through."""
        answers = [json.loads(each.rpartition("\n")[2]) for each in self.heard if each.startswith("/api/")]
        return [pair for answer in answers for pair in (answer.get("pair"), *answer.get("pairs", ())) if pair]

    def _pass(self, asked: BaseHTTPRequestHandler, body: bytes) -> None:
        if self.mode == "shut":
            self.refused += 1
            _fail(asked)
            return
        connection = http.client.HTTPConnection(self._to, timeout=30)
        try:
            connection.request(asked.command, asked.path, body or None, dict(asked.headers))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        told = (asked.path, body.decode(), str(answer.headers), content.decode())
        self.heard.append("\n".join(told))
        if self.mode == "lossy" and asked.path == "/api/choice":
            self.lost += 1
            _fail(asked)
            return
        asked.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                asked.send_header(name, value)
        asked.send_header("Content-Length", str(len(content)))
        asked.end_headers()
        asked.wfile.write(content)


def _fail(asked: BaseHTTPRequestHandler) -> None:
    content = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
    asked.send_response_only(502)
    asked.send_header("Content-Type", "text/html")
    asked.send_header("Content-Length", str(len(content)))
    asked.end_headers()
    asked.wfile.write(content)
