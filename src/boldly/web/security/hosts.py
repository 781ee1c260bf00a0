"""Under which names the page is reached: a name that another site made point here (DNS rebinding) is none of them."""

import ipaddress
import socket

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
ANY_ADDRESS = "*"
"""In a set of names: every address in digits, which no name server can make point anywhere."""


def names_of(host: str) -> frozenset[str]:
    """The names of a page that listens at `host`; at all addresses of this machine they are those and its own name."""
    if not is_every(host):
        return LOOPBACK | {host.lower().strip("[]")}
    own = socket.gethostname().lower()
    return LOOPBACK | {ANY_ADDRESS, own, f"{own.partition('.')[0]}.local"}


def is_every(host: str) -> bool:
    """Whether listening at `host` means at every address of the machine."""
    address = _address(host)
    return address is not None and address.is_unspecified


def is_loopback(host: str) -> bool:
    """Whether nobody on another machine reaches `host`."""
    address = _address(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


class TrustedHosts:
    """Refuses (400) what was sent to a name that is not in `hosts`, whichever its port: a tunnel may have another."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._trusts(Headers(scope=scope).getlist("host")):
            raise HTTPException(
                400,
                "this page isn't served under that name: open the address that `boldly label` printed; `--host NAME` "
                "adds a name.",
            )
        await self._app(scope, receive, send)

    def _trusts(self, given: list[str]) -> bool:
        if len(given) != 1:
            return False
        name = name_in(given[0])
        return name in self._hosts or (ANY_ADDRESS in self._hosts and name is not None and _address(name) is not None)


def name_in(host: str) -> str | None:
    """The name in `name:port`, lower-case and without brackets; None if it is not written like one."""
    name, colon, port = host.lower().rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host.lower(), "0"
    if not (port.isascii() and port.isdigit()) or not name:
        return None
    if name.startswith("[") and name.endswith("]"):
        return name[1:-1]
    return None if ":" in name else name


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
