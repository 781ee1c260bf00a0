"""Where a page is, and the personal links that lead there."""

import shlex
import socket
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from boldly.errors import InvalidInput
from boldly.ledger.sql.desk import Annotator
from boldly.web.security.hosts import is_every, is_loopback, names_of
from boldly.web.serving import url_of
from boldly.web.tokens import Claim, token_of


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page listens, and what a proxy in front of it is called, without a slash at its end."""

    host: str
    port: int | None = None
    url: str | None = None

    def base(self, listener: socket.socket) -> str:
        """How every address of the page begins."""
        if self.url is not None:
            return self.url
        return url_of(listener, _outward(self.host) if is_every(self.host) else self.host.strip("[]"))

    @property
    def names(self) -> frozenset[str]:
        """What a browser may call it."""
        proxy = urlsplit(self.url or "").hostname
        return names_of(self.host) | ({proxy} if proxy else frozenset())

    def warning(self, *, shared: bool) -> str:
        """What to know before a link is sent to anybody."""
        if self.url is not None and self.url.startswith("https:"):
            return "the proxy has to pass the header `Host` on as it came, and nobody else should reach the page."
        if not is_loopback(self.host) or self.url is not None:
            return (
                "whoever comes without a personal link is refused; but these links go over http, and who can read the "
                "network can read them: put a proxy with TLS in front, and write `--url https://label.example.org`."
            )
        if shared:
            return "these links work on this machine alone: `--host 0.0.0.0` is for its network, `--url` for a proxy."
        return ""

    def command(self, run: Path, *further: str) -> str:
        """The line that serves the same again."""
        words = ["boldly", "label", str(run)]
        words += ["--host", self.host] if self.host != "127.0.0.1" else []
        words += ["--port", str(self.port)] if self.port is not None else []
        words += ["--url", self.url] if self.url is not None else []
        return shlex.join([*words, *further])


def place(host: str, port: int | None, url: str | None) -> Place:
    """Raises `InvalidInput` where `url` is not how an address begins."""
    if url is None:
        return Place(host, port)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise InvalidInput(
            f"--url {url}: is not how an address begins: write `--url https://label.example.org`, without a path."
        )
    return Place(host, port, f"{parts.scheme}://{parts.netloc}")


def link_of(base: str, key: bytes, annotator: Annotator) -> str:
    """What lets an annotator in, as long as it is not revoked."""
    return f"{base}/in/{token_of(key, Claim(annotator.number, annotator.generation))}"


def listing(base: str, key: bytes, annotators: Iterable[Annotator], me: Annotator) -> str:
    """A line for each person who has a link, the owner's first."""
    those = [me, *(one for one in annotators if not one.revoked and one.number != me.number)]
    width = max(len(one.name) for one in those)
    return "\n".join(f"{one.name:<{width}}  {link_of(base, key, one)}" for one in those)


def _outward(host: str) -> str:
    """The address of this machine that others see, by what the kernel would send from; nothing is sent."""
    family, target = (socket.AF_INET6, "2001:db8::1") if ":" in host else (socket.AF_INET, "192.0.2.1")
    with suppress(OSError), closing(socket.socket(family, socket.SOCK_DGRAM)) as probe:
        probe.connect((target, 9))
        return str(probe.getsockname()[0])
    return socket.gethostname()
