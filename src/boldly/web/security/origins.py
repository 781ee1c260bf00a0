"""Only the page itself may change anything: what another site makes a browser send is refused (403).

The check of `Sec-Fetch-Site` and `Origin` that Go 1.25's `CrossOriginProtection` and Datasette make in place of
tokens in forms, and stricter: here what changes something has to name its origin.
"""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

_SAFE = ("GET", "HEAD")
_OURS = ("same-origin", "none")


class SameOrigin:
    """Refuses what another site sent; behind `TrustedHosts`, which says that the host is one of ours."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _ours(scope["method"], scope["path"], Headers(scope=scope)):
            raise HTTPException(403, "this was sent from another site; only the page itself may send it.")
        await self._app(scope, receive, send)


class OnlyJson:
    """Refuses (415) bodies that are not JSON, among them all that a form can send."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in ("POST", "PUT", "PATCH"):
            given = Headers(scope=scope).getlist("content-type")
            kind, _, parameters = (given[0] if len(given) == 1 else "").partition(";")
            if kind.strip().lower() != "application/json" or parameters.strip().lower() not in ("", "charset=utf-8"):
                raise HTTPException(415, "the body has to be `application/json`.")
        await self._app(scope, receive, send)


def _ours(method: str, path: str, headers: Headers) -> bool:
    site = headers.getlist("sec-fetch-site")
    if method in _SAFE:
        return not path.startswith("/api/") or all(each in _OURS for each in site)
    origins, host = headers.getlist("origin"), headers["host"].lower()
    ours = len(origins) == 1 and origins[0].lower() in (f"http://{host}", f"https://{host}")
    return ours and all(each == "same-origin" for each in site)
