"""What the page can ask: each route is one thing a person does, or one look at how far the run is."""

from collections.abc import Collection
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from boldly.ledger.sql.desk import Annotator, Desk, Lease, Order
from boldly.web.payloads import (
    Body,
    Choice,
    Chosen,
    Flag,
    Flagged,
    Gone,
    Held,
    LeaseToken,
    NextPair,
    Now,
    Pace,
    Pair,
    Problem,
    State,
    StillHeld,
    Undo,
    action_of,
    pair_of,
    state_of,
)
from boldly.web.security.admission import Door, address_of
from boldly.web.security.answers import said, templates
from boldly.web.settings import Settings
from boldly.web.tokens import unseal

_SECONDS_OF_COOKIE = 90 * 24 * 3600
REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The request can't be read."},
    401: {"model": Problem, "description": "No personal link was opened."},
    403: {"model": Problem, "description": "The link was withdrawn, or the request came from another site."},
    404: {"model": Problem, "description": "There is no such lease of this person."},
    409: {"model": Problem, "description": "It can't be done as things stand."},
    413: {"model": Problem, "description": "The body is too long."},
    415: {"model": Problem, "description": "The body is not JSON."},
    422: {"model": Problem, "description": "A field is unknown or has a value that can't be."},
    429: {"model": Problem, "description": "Too many requests."},
    503: {"model": Problem, "description": "The ledger takes no more answers."},
}


async def admitted(request: Request) -> Annotator:
    """Who asks, as the door let them in."""
    return request.state.annotator


async def owning(request: Request) -> Annotator:
    """Who asks, if the run is theirs; else 403."""
    annotator = await admitted(request)
    if not annotator.owner:
        raise HTTPException(403, "only whoever runs `boldly label` sees this.")
    return annotator


Me = Annotated[Annotator, Depends(admitted)]
Owner = Annotated[Annotator, Depends(owning)]
Holding = Annotated[list[LeaseToken], Query(max_length=8)]


def add_api(app: FastAPI, desk: Desk, settings: Settings) -> None:
    """Add what the page's script asks, under /api."""
    pace = Pace()

    def leases(me: Annotator, sealed: Collection[str]) -> dict[str, str]:
        """The leases that were sealed for somebody, each by its token."""
        opened = ((each, unseal(settings.key, me.number, each)) for each in sealed)
        return {found[0]: each for each, found in opened if found is not None}

    def lease_of(me: Annotator, sealed: str) -> tuple[str, Order]:
        found = unseal(settings.key, me.number, sealed)
        if found is None:
            raise HTTPException(404, "there is no such pair on your page.")
        return found

    def shown(me: Annotator, lease: Lease | None) -> Pair | None:
        return None if lease is None else pair_of(lease, me, settings.key)

    def state(me: Annotator) -> State:
        return state_of(desk.tally(me), settings.state(), settings, pace, owner=me.owner)

    @app.get("/api/pair", response_model=NextPair)
    def pair(me: Me, holding: Holding = []) -> Response:  # noqa: B006 - FastAPI reads the default
        """The next pair beside those that are held."""
        lease = desk.lease(me, holding=tuple(leases(me, holding)))
        return _reply(NextPair(pair=shown(me, lease), state=state(me)))

    @app.post("/api/choice", response_model=Chosen)
    def choice(me: Me, body: Choice) -> Response:
        """Store a choice for good, then give a further pair beside those that are held."""
        token, order = lease_of(me, body.lease)
        turn = desk.turn(
            me,
            token,
            key=body.key,
            action=action_of(body.choice, order),
            seconds=body.seconds,
            strength=body.strength,
            reason=body.reason,
            holding=tuple(leases(me, body.holding)),
        )
        told, further = turn.receipt, shown(me, turn.lease)
        return _reply(Chosen(outcome=told.outcome, repeated=told.repeated, pair=further, state=state(me)))

    @app.post("/api/undo", response_model=NextPair)
    def undo(me: Me, body: Undo) -> Response:
        """Take the newest choice back, and give its pair again; null where there is none."""
        return _reply(NextPair(pair=shown(me, desk.undo(me, key=body.key)), state=state(me)))

    @app.post("/api/flag", response_model=Flagged)
    def flag(me: Me, body: Flag) -> Response:
        """Store that something is wrong with a pair; it stays to be judged."""
        token, _ = lease_of(me, body.lease)
        receipt = desk.flag(me, token, key=body.key, note=body.note)
        return _reply(Flagged(outcome=receipt.outcome, state=state(me)))

    @app.post("/api/beat", response_model=Gone)
    def beat(me: Me, body: Held) -> Response:
        """Keep leases, and say which of them no longer stand."""
        known = leases(me, body.leases)
        lost = {known[token] for token in desk.beat(me, tuple(known))}
        gone = [each for each in body.leases if each in lost or each not in known.values()]
        return _reply(Gone(gone=gone, state=state(me)))

    @app.post("/api/release", response_model=Now)
    def release(me: Me, body: Held) -> Response:
        """Give pairs back that won't be judged now."""
        desk.release(me, tuple(leases(me, body.leases)))
        return _reply(Now(state=state(me)))

    @app.get("/api/held", response_model=StillHeld)
    def held(me: Me, lease: Holding = []) -> Response:  # noqa: B006 - FastAPI reads the default
        """The pairs of those leases that still stand, for a page that was loaded again."""
        standing = desk.held(me, tuple(leases(me, lease)))
        return _reply(StillHeld(pairs=[pair_of(each, me, settings.key) for each in standing], state=state(me)))

    @app.get("/api/state", response_model=Now)
    def now(me: Me) -> Response:
        """How far the run is."""
        return _reply(Now(state=state(me)))

    @app.get("/api/dashboard")
    def dashboard(owner: Owner) -> dict[str, Any]:
        """What the dashboard shows; for the owner alone."""
        return settings.dashboard()


def add_pages(app: FastAPI, settings: Settings, door: Door) -> None:
    """Add what a person opens."""

    @app.get("/in/{token}", include_in_schema=False)
    def enter(request: Request, token: str) -> Response:
        """Exchange a personal link for a cookie.

        The page then goes on by itself: a browser that came from another site sends a strict cookie only with what
        this page asks for, not after a redirect.
        """
        claim = door.claim(token, address_of(request.scope), status=403)
        annotator = door.admit(claim)
        response = HTMLResponse(said("Your first pair comes at once.", title=f"Welcome, {annotator.name}", go_on=True))
        secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
        response.set_cookie(
            door.cookie, token, max_age=_SECONDS_OF_COOKIE, httponly=True, samesite="strict", secure=secure
        )
        return response

    @app.get("/", include_in_schema=False)
    def label(me: Me) -> Response:
        """The labelling page; what it shows comes through the API."""
        return _page("label", settings, me, run=door.cookie)

    @app.get("/dashboard", include_in_schema=False)
    def dashboard(owner: Owner) -> Response:
        """The dashboard of whoever runs this."""
        return _page("dashboard", settings, owner, run=settings.run)

    @app.get("/favicon.ico", include_in_schema=False)
    def icon() -> Response:
        return Response(status_code=204)


def _page(name: str, settings: Settings, annotator: Annotator, *, run: str) -> Response:
    """A page as a person opens it; `run` tells the run from others, on the labelling page without its directory."""
    template = templates().get_template(f"{name}.html.jinja")
    return HTMLResponse(
        template.render(
            run=run,
            name=annotator.name,
            owner=annotator.owner,
            confirm=settings.confirm,
            strength=settings.strength,
            reason=settings.reason,
            guard=settings.guard,
        )
    )


def _reply(body: Body) -> Response:
    """As it is: it was checked when it was made."""
    return Response(body.model_dump_json(), media_type="application/json")
