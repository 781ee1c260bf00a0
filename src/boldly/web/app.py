"""The page as one application: the routes, and what stands before them."""

from http import HTTPStatus
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.security import APIKeyCookie
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response

from boldly.errors import StorageError
from boldly.ledger.sql.desk import Desk
from boldly.web.routes import REFUSALS, add_api, add_pages
from boldly.web.security.admission import Admission, Claims, Door
from boldly.web.security.answers import refusal
from boldly.web.security.bodies import Bodies
from boldly.web.security.errors import Errors
from boldly.web.security.headers import HeaderLimits, SafeHeaders
from boldly.web.security.hosts import TrustedHosts
from boldly.web.security.origins import OnlyJson, SameOrigin
from boldly.web.settings import Settings

_NOTHING = {404: "there is nothing at this address.", 405: "this can't be done at this address."}


def create_app(desk: Desk, settings: Settings) -> FastAPI:
    """The page of a run. Nothing that it must not forget is kept in this process, so several may serve one ledger.

    A request passes, in this order: what every response gets (headers, one sentence for whatever is raised), the limits
    of its headers, the name it was sent to, the site it was sent from, whose link it has, the kind of its body, its
    body, and whether the ledger knows the link. `app.state.broken` is the `StorageError` of a ledger that takes no more
    answers.
    """
    door = Door(desk, settings)
    app = FastAPI(
        title="boldly label",
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
        responses=REFUSALS,
        dependencies=[Depends(APIKeyCookie(name=door.cookie, auto_error=False, description="of the personal link"))],
        middleware=[
            Middleware(SafeHeaders),
            Middleware(Errors, broken=lambda error: _broke(app, error)),
            Middleware(HeaderLimits),
            Middleware(TrustedHosts, hosts=settings.hosts),
            Middleware(SameOrigin),
            Middleware(Claims, door=door),
            Middleware(OnlyJson),
            Middleware(Bodies),
            Middleware(Admission, door=door),
        ],
        exception_handlers={HTTPException: _refused, RequestValidationError: _unreadable},
    )
    app.state.broken = None
    add_api(app, desk, settings)
    add_pages(app, settings, door)
    app.mount("/static", StaticFiles(packages=[("boldly.web", "static")]))
    return app


def _broke(app: FastAPI, error: StorageError) -> None:
    app.state.broken = error


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    phrase = error.detail == HTTPStatus(error.status_code).phrase
    sentence = _NOTHING.get(error.status_code, error.detail) if phrase else error.detail
    return refusal(request.scope, error.status_code, sentence, error.headers)


async def _unreadable(request: Request, error: Exception) -> Response:
    """Which field is wrong and why, without repeating what was sent."""
    assert isinstance(error, RequestValidationError)
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return refusal(request.scope, 400, "the body can't be read as JSON.")
    return refusal(request.scope, 422, "; ".join(map(_told, problems[:5])))


def _told(problem: dict[str, Any]) -> str:
    if problem["type"] == "extra_forbidden":
        return "a field that isn't known here was sent"
    return f"`{'.'.join(map(str, problem['loc'][1:]))}`: {problem['msg']}"
