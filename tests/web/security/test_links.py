"""Nobody comes in without a link of this run, on any route; a link that was withdrawn is closed at once."""

import pytest

from boldly.web.security.admission import is_open
from boldly.web.tokens import Claim, cookie_of, token_of
from tests.support.desk_page import KEY
from tests.web.security.asking import BODIES, leased, routes_of, send

OTHER_RUN = bytes([7] * 32)


def test_the_routes_that_need_no_link_are_these(page):
    routes = routes_of(page)
    assert len(routes) > 12
    assert {path for _, path in routes if is_open(path)} == {"/in/{token}", "/favicon.ico"}
    assert {path for method, path in routes if method == "POST"} == set(BODIES)


@pytest.mark.parametrize("who", ["nobody", "wrong", "forged", "expired", "revoked", "of another run", "another's name"])
def test_every_route_is_closed_without_a_link_of_this_run(fresh, who):
    client = fresh.client(None)
    expired = token_of(KEY, Claim(fresh.ann.number, fresh.ann.generation + 1))
    tokens = {
        "wrong": "no token at all",
        "forged": f"{fresh.ann.number}.{fresh.ann.generation}.{'0' * 32}",
        "expired": expired,
        "revoked": token_of(KEY, Claim(fresh.ben.number, fresh.ben.generation)),
        "of another run": token_of(OTHER_RUN, Claim(fresh.ann.number, fresh.ann.generation)),
        "another's name": token_of(KEY, Claim(99, 0)),
    }
    fresh.desk.revoke("Ben")
    if who in tokens:
        client.cookies.set(cookie_of(KEY), tokens[who])
    for method, path in routes_of(fresh):
        if is_open(path):
            continue
        answer = send(client, method, path)
        assert answer.status_code in (401, 403), (method, path)
        assert "set-cookie" not in answer.headers
        assert method == "HEAD" or answer.json().keys() == {"error"}
    if who in tokens:
        entered = client.get(f"/in/{tokens[who]}")
        assert entered.status_code == 403
        assert "set-cookie" not in entered.headers
    assert fresh.desk.choices() == ()


def test_a_route_that_somebody_adds_is_closed(page):
    usual = {"guard": 151}
    page.client(None, **usual).app.add_api_route("/api/new", lambda: {"secret": 1})
    for client, status in ((page.client(None, **usual), 401), (page.client(page.ann, **usual), 200)):
        assert client.get("/api/new").status_code == status


def test_a_revoked_link_is_closed_at_once_and_a_new_one_opens(fresh):
    client = fresh.client(fresh.ben)
    assert client.get("/api/state").status_code == 200
    fresh.desk.revoke("Ben")
    assert client.get("/api/state").status_code == 403
    again = fresh.desk.admit("Ben")
    assert client.get("/api/state").status_code == 403
    assert fresh.client(again).get("/api/state").status_code == 200


@pytest.mark.parametrize("again", [False, True])
def test_a_link_that_is_withdrawn_while_the_desk_is_asked_is_refused_as_any_other(fresh, monkeypatch, again):
    """The page keeps an answer that got 403, and forgets one that got 409."""
    client = fresh.client(fresh.ben)
    body = {**BODIES["/api/choice"], "lease": leased(client)}
    turn = fresh.desk.turn

    def late(*args, **kwargs):
        fresh.desk.revoke("Ben")
        if again:
            fresh.desk.admit("Ben")
        return turn(*args, **kwargs)

    monkeypatch.setattr(fresh.desk, "turn", late)
    refused = client.post("/api/choice", json=body)
    assert (refused.status_code, "withdrawn" in refused.json()["error"]) == (403, True)
    assert fresh.desk.choices() == ()


def test_the_description_of_the_api_is_for_those_who_were_let_in(page):
    assert page.client(None).get("/openapi.json").status_code == 401
    assert page.client(page.ann).get("/openapi.json").json()["info"]["title"]
    for path in ("/docs", "/redoc"):
        assert page.client(page.ann).get(path).status_code == 404


def test_the_key_is_in_nothing_that_is_printed(page):
    assert repr(KEY) not in repr(page.settings)
    assert repr(KEY) not in repr(vars(page.client(None).app))
