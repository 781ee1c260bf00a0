"""Who may come in: nobody without a link of this run, but to what is named here."""

import math
from collections.abc import Hashable

import anyio
import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from boldly.errors import InvalidInput
from boldly.ledger.sql.desk import Annotator, Desk
from boldly.web.security.rates import Buckets
from boldly.web.settings import Settings
from boldly.web.tokens import Claim, cookie_of, read_token

OPEN_TO_ALL = ("/static/", "/in/")
"""What these begin is open to all, and so is `ICON`; whatever else there is, or will be, needs a link."""
ICON = "/favicon.ico"
_AT_ONCE = 6
_NO_LINK = "open your personal link: `boldly label` printed it, or whoever runs it has it for you."


def is_open(path: str) -> bool:
    """Whether anybody may ask for a path."""
    return path == ICON or path.startswith(OPEN_TO_ALL)


class Door:
    """Says whose a token is, and how often who may ask."""

    def __init__(self, desk: Desk, settings: Settings) -> None:
        self.cookie = cookie_of(settings.key)
        self._key = settings.key
        self._desk = desk
        self._annotators = Buckets(settings.annotator)
        self._strangers = Buckets(settings.stranger)
        self._guesses = Buckets(settings.guesses)

    def stranger(self, address: str) -> None:
        """Count a request of somebody without a link; raises 429."""
        _refuse_waiting(self._strangers, address)

    def person(self, claim: Claim) -> None:
        """Count a request of an annotator; raises 429."""
        _refuse_waiting(self._annotators, claim.number)

    def claim(self, token: str, address: str, *, status: int) -> Claim:
        """Whom a token was made for; raises `status` if it was not made here, and 429 after several of those."""
        claim = read_token(self._key, token)
        if claim is None:
            _refuse_waiting(self._guesses, address)
            raise HTTPException(status, f"this link is not one of this run: {_NO_LINK}")
        return claim

    def admit(self, claim: Claim) -> Annotator:
        """The annotator, as the ledger knows them now; raises 403 for a link that was withdrawn."""
        annotator = self._desk.annotator(claim.number)
        if annotator is None or annotator.revoked or annotator.generation != claim.generation:
            raise HTTPException(403, "this link was withdrawn; whoever runs `boldly label` can give you a new one.")
        return annotator


class Claims:
    """Refuses (401) whoever has no link of this run, before anything of their request is read."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            address = address_of(scope)
            token = HTTPConnection(scope).cookies.get(self._door.cookie)
            if is_open(scope["path"]):
                self._door.stranger(address)
            elif token is None:
                self._door.stranger(address)
                raise HTTPException(401, _NO_LINK)
            else:
                claim = self._door.claim(token, address, status=401)
                scope.setdefault("state", {})["claim"] = claim
                self._door.person(claim)
        await self._app(scope, receive, send)


class Admission:
    """Lets those in whom the ledger knows, a few at once and first come, first served: the ledger serves one by one.

    A turn ends before its response is sent, so that who doesn't read keeps nobody waiting. Refuses (403) also those
    whose link is withdrawn during their turn.
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door
        self._turns = anyio.CapacityLimiter(_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        response: list[Message] = []

        async def keep(message: Message) -> None:
            response.append(message)

        async with self._turns:
            state = scope["state"]
            state["annotator"] = await anyio.to_thread.run_sync(self._door.admit, state["claim"])
            try:
                await self._app(scope, receive, keep)
            except InvalidInput:
                await anyio.to_thread.run_sync(self._door.admit, state["claim"])
                raise
        for message in response:
            await send(message)


def address_of(scope: Scope) -> str:
    """Where a request came from; what it says of itself in a header doesn't count."""
    return (scope.get("client") or ("", 0))[0]


def _refuse_waiting(buckets: Buckets, client: Hashable) -> None:
    wait = buckets.take(client)
    if wait > 0.0:
        seconds = math.ceil(wait)
        raise HTTPException(429, f"too many requests: go on in {seconds} s.", {"Retry-After": str(seconds)})
