"""A chat service on loopback that does what a test says: real sockets, real HTTP, and a count of what it got."""

import json
import re
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Reply:
    """What the service sends back.

    Before each of the first bytes it sleeps one of the `pauses`; `cut` bytes of what was promised are withheld.
    """

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    pauses: tuple[float, ...] = ()
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Got:
    """A request: its path, its headers in lower case, its JSON, and its place among all that came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    place: int

    @property
    def mode(self) -> str:
        if self.body.get("logprobs"):
            return "logprobs"
        return "structured" if "response_format" in self.body else "text"

    @property
    def text(self) -> str:
        return "\n".join(message["content"] for message in self.body["messages"])

    def between(self, name: str) -> str:
        """What stands between the true fences of this name: those with the mark that the judge was told."""
        found = re.search(r"hold the mark ([0-9a-f]{16})\.", self.text)
        assert found is not None
        start, end = (f"--- {found[1]} {prefix}{name} ---" for prefix in ("", "END OF "))
        return self.text.split(f"{start}\n", 1)[1].split(f"\n{end}", 1)[0]


Handler = Callable[[Got], Reply]


@dataclass
class Service:
    """A running service and every request that it got."""

    url: str
    got: list[Got]


def completion(
    text: str | None = None,
    *,
    tops: dict[str, float] | None = None,
    finish: Any = "stop",
    usage: Any = (100, 2),
    **message: Any,
) -> dict[str, Any]:
    """A chat completion.

    `tops` are log-probabilities at the first place, `usage` the tokens in and out, or what stands in their place.
    """
    first = {"token": (text or "")[:1], "logprob": -0.1, "bytes": None}
    listed = [{"token": token, "logprob": value} for token, value in (tops or {}).items()]
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, **message},
        "finish_reason": finish,
        "logprobs": None if tops is None else {"content": [first | {"top_logprobs": listed}]},
    }
    body: dict[str, Any] = {"id": "x", "object": "chat.completion", "model": "m", "choices": [choice]}
    if isinstance(usage, tuple):
        usage = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
    return body if usage is None else body | {"usage": usage}


def ok(text: str | None = None, **told: Any) -> Reply:
    return Reply(json.dumps(completion(text, **told)).encode())


def error(status: int, message: str = "no", *, headers: dict[str, str] | None = None, **told: Any) -> Reply:
    body = {"error": {"message": message, **told}}
    return Reply(json.dumps(body).encode(), status, {"content-type": "application/json", **(headers or {})})


@contextmanager
def serving(handler: Handler) -> Generator[Service]:
    """A service that answers each request by `handler`, until the block ends."""
    got: list[Got] = []
    lock = threading.Lock()

    class Handling(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                request = Got(self.path, headers, json.loads(body), len(got))
                got.append(request)
            try:
                self._send(handler(request))
            except OSError:
                self.close_connection = True

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in ({"content-length": str(len(reply.body))} | reply.headers).items():
                self.send_header(name, value)
            self.end_headers()
            body = reply.body[: len(reply.body) - reply.cut]
            for i, pause in enumerate(reply.pauses):
                time.sleep(pause)
                self.wfile.write(body[i : i + 1])
            self.wfile.write(body[len(reply.pauses) :])
            if reply.cut:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None: ...

    server = Server(("127.0.0.1", 0), Handling)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield Service(f"http://127.0.0.1:{server.server_address[1]}/v1", got)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
