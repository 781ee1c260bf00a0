"""Whatever is raised becomes one sentence; a traceback goes to the log and never to a client."""

import logging
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from boldly.errors import InvalidInput, StorageError
from boldly.web.security.answers import refusal

_log = logging.getLogger(__name__)


class Errors:
    """Answers what was raised behind it; `broken` is told of a ledger that takes no more answers."""

    def __init__(self, app: ASGIApp, broken: Callable[[StorageError], None]) -> None:
        self._app = app
        self._broken = broken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
            return
        begun = False

        async def noticing(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noticing)
        except ClientDisconnect:
            return
        except Exception as error:
            answer = self._answer(scope, error)
            if begun:
                raise
            await answer(scope, receive, send)

    def _answer(self, scope: Scope, error: Exception) -> Response:
        match error:
            case HTTPException():
                return refusal(scope, error.status_code, error.detail, error.headers)
            case InvalidInput():
                return refusal(scope, 409, str(error))
            case StorageError():
                self._broken(error)
                _log.error("the ledger takes no more answers: %s", error)
                return refusal(scope, 503, "the run can't store answers any more; whoever runs it was told why.")
            case _:
                _log.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
                return refusal(scope, 500, "something went wrong on the server; whoever runs it can see what.")
