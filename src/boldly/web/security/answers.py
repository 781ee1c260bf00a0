"""What a refused request is told: one sentence, as JSON for scripts and as a page for people."""

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Scope

_TITLES = {401: "This page opens with your link", 403: "That isn't open to you", 404: "There is nothing here"}


@cache
def templates() -> Environment:
    """The templates of the package, compiled once."""
    return Environment(loader=PackageLoader("boldly.web"), autoescape=True, undefined=StrictUndefined)


def refusal(scope: Scope, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    """`{"error": sentence}`, or a page that says so to a person who opened an address."""
    wants = Headers(scope=scope).get("accept", "")
    if "text/html" in wants and not scope["path"].startswith("/api/"):
        return HTMLResponse(said(sentence, title=_TITLES.get(status) or HTTPStatus(status).phrase), status, headers)
    return JSONResponse({"error": sentence}, status, headers)


def said(sentence: str, *, title: str, go_on: bool = False) -> str:
    """A page of one sentence with a link to the labelling page, where it goes by itself if it is to `go_on`."""
    return templates().get_template("sentence.html.jinja").render(sentence=sentence, title=title, go_on=go_on)
