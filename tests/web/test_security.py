"""Who is refused, and by what: every route, every kind of request that is not the page's own."""

import asyncio
import json
import re
import time

import pytest
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Mount, Route

from boldly.web.security.admission import is_open
from boldly.web.security.bodies import MOST_BYTES, Bodies
from boldly.web.security.hosts import is_every, is_loopback, name_in, names_of
from boldly.web.security.rates import Buckets
from boldly.web.settings import Rate, Settings
from boldly.web.tokens import Claim, cookie_of, token_of
from tests.support.desk_page import KEY, ORIGIN, page_of

OTHER_RUN = bytes([7] * 32)
NO_LEASE = f"{'0' * 32}.{'0' * 16}"
BODIES = {
    "/api/choice": {"key": "key-00000001", "lease": NO_LEASE, "choice": "left", "seconds": 1.0, "holding": []},
    "/api/undo": {"key": "key-00000001"},
    "/api/flag": {"key": "key-00000001", "lease": NO_LEASE, "note": ""},
    "/api/beat": {"leases": []},
    "/api/release": {"leases": []},
}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """For what changes nothing."""
    with page_of(tmp_path_factory.mktemp("page")) as page:
        yield page


@pytest.fixture
def fresh(tmp_path):
    with page_of(tmp_path) as page:
        yield page


def routes_of(page) -> list[tuple[str, str]]:
    """Every method and path that the application has, but those of the static files."""
    app = page.client(None).app
    for route in app.routes:
        assert isinstance(route, APIRoute | Route) or (isinstance(route, Mount) and route.path == "/static")
    flat = [route for route in app.routes if isinstance(route, Route)]
    return sorted((method, route.path) for route in flat for method in route.methods or ())


def send(client, method, path, **headers):
    return client.request(method, path, json=BODIES.get(path), headers=headers)


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


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.test"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "http://localhost"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": f"{ORIGIN}.evil.test"},
        {"Origin": f"{ORIGIN}, http://evil.test"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin, cross-site"},
        {"Origin": "http://evil.test", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "http://evil.test", "Content-Type": "text/plain"},
    ],
)
def test_what_another_site_sends_is_refused(page, headers):
    """Case 67, with a link that is good: browsers send the cookie of a page to each of its ports."""
    client = page.client(page.ann)
    for method, path in routes_of(page):
        if method == "POST":
            assert send(client, method, path, **headers).status_code == 403
    assert page.desk.choices() == ()


def test_what_names_no_origin_changes_nothing(page):
    client = page.client(page.ann)
    del client.headers["Origin"]
    for method, path in routes_of(page):
        if method == "POST":
            assert send(client, method, path).status_code == 403
            assert send(client, method, path, **{"Sec-Fetch-Site": "same-origin"}).status_code == 403


def test_another_site_can_not_even_look(page):
    client = page.client(page.ann)
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        assert client.get("/api/pair", headers={"Sec-Fetch-Site": site}).status_code == status
    assert page.client(None).get("/in/1.0.x", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize("origin", [ORIGIN, ORIGIN.replace("http:", "https:"), ORIGIN.upper().replace("HTTP", "http")])
def test_the_page_itself_may_send(page, origin):
    headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
    assert page.client(page.ann).post("/api/beat", json={"leases": []}, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json, text/plain",
        "application/jsonp",
        "",
        None,
    ],
)
def test_a_body_that_is_not_json_is_refused(page, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    for path in BODIES:
        refused = page.client(page.ann).post(path, content=b'{"leases": []}', headers=headers)
        assert refused.status_code == 415


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"]
)
def test_json_is_json(page, kind):
    answer = page.client(page.ann).post("/api/beat", content=b'{"leases": []}', headers={"Content-Type": kind})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.test", "evil.test:8765", "localhost.evil.test", "localhost@evil.test", "127.0.0.2", "", "[::1", "a:b:c"],
)
def test_a_name_that_another_made_point_here_is_refused(page, host):
    """Case 68: DNS rebinding, on every route, whoever asks."""
    client = page.client(page.ann)
    for method, path in [*routes_of(page), ("GET", "/static/label.js"), ("GET", "/in/x")]:
        assert send(client, method, path, Host=host, Origin=f"http://{host}").status_code == 400


def test_the_names_of_a_page():
    assert names_of("127.0.0.1") == {"localhost", "127.0.0.1", "::1"}
    assert "label.example.org" in names_of("label.example.org")
    assert "*" not in names_of("192.168.1.4")
    assert {"*", "localhost"} < names_of("0.0.0.0")
    assert [is_every(host) for host in ("0.0.0.0", "::", "127.0.0.1", "localhost")] == [True, True, False, False]
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "a.b")] == [True] * 3 + [
        False
    ] * 2


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("localhost", "localhost"),
        ("LOCALHOST:80", "localhost"),
        ("127.0.0.1:8765", "127.0.0.1"),
        ("[::1]:8765", "::1"),
        ("[::1]", "::1"),
        ("::1", None),
        ("localhost:", None),
        ("localhost:8a", None),
        (":8765", None),
        ("a:b:1", None),
    ],
)
def test_a_host_is_read_as_it_is_written(given, name):
    assert name_in(given) == name


def test_a_page_at_every_address_is_reached_by_digits_and_not_by_names_of_others(page):
    client = page.client(page.ann, hosts=names_of("0.0.0.0"))
    for host, status in (("192.168.7.9:8765", 200), ("[2001:db8::7]:8765", 200), ("evil.test:8765", 400)):
        assert client.get("/api/state", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e%2f%2e%2e%2f%2e%2e%2fpyproject.toml",
        "/static/..\\app.py",
        "/static/%5c..%5capp.py",
        "/static//etc/passwd",
        "/static/%2fetc/passwd",
        "/static/%00",
        "/static/label.js%00.css",
        "/static/C:%5cWindows%5cwin.ini",
        "/static/" + "a" * 3000,
        "/static/",
        "/in/../../etc/passwd",
        "/in/%2e%2e%2f%2e%2e%2fapi%2fstate",
        "/in/%00",
        "/in/..%2f..%2fpage.key",
    ],
)
def test_no_path_leads_out(page, path):
    """Case 70, over the application itself: the client sends the path as it stands."""
    status, body = asyncio.run(asked(page.client(None).app, "GET", path))
    assert status in (400, 401, 403, 404), (path, status)
    assert b"root:" not in body
    assert b"import" not in body
    assert b"[project]" not in body


@pytest.mark.parametrize(
    "path", ["/static/../api/state", "/static/%2e%2e/api/state", "/in/../api/state", "//api/state"]
)
def test_no_open_path_leads_to_a_closed_one(page, path):
    status, body = asyncio.run(asked(page.client(None).app, "GET", path))
    assert status in (401, 403, 404)
    assert b"phase" not in body


def test_static_files_are_sent_as_what_they_are(page):
    client = page.client(None)
    for name, kind in (("label.js", "text/javascript"), ("label.css", "text/css")):
        sent = client.get(f"/static/{name}")
        assert (sent.status_code, sent.headers["content-type"].partition(";")[0]) == (200, kind)
        assert sent.headers["cache-control"] == "no-cache"
        assert client.get(f"/static/{name}", headers={"If-None-Match": sent.headers["etag"]}).status_code == 304


def test_every_answer_keeps_other_sites_out(page):
    nobody, ann = page.client(None), page.client(page.ann)
    link = f"/in/{token_of(KEY, Claim(page.ann.number, 0))}"
    answers = [
        nobody.get("/"),
        nobody.get(link),
        nobody.get("/static/label.js"),
        nobody.get("/", headers={"Host": "evil.test"}),
        ann.get("/"),
        ann.get("/api/pair"),
        ann.get("/nothing"),
        ann.delete("/api/pair"),
        ann.post("/api/choice", json={}),
        ann.post("/api/choice", content=b"{", headers={"Content-Type": "application/json"}),
    ]
    assert [answer.status_code for answer in answers] == [401, 200, 200, 400, 200, 200, 404, 405, 422, 400]
    for answer in answers:
        headers = answer.headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == ("no-cache" if answer is answers[2] else "no-store")
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


def test_what_is_not_there_is_told_in_words(page):
    client = page.client(page.ann)
    assert client.get("/nothing").json() == {"error": "there is nothing at this address."}
    assert client.delete("/api/pair").json() == {"error": "this can't be done at this address."}
    assert client.delete("/api/pair").headers["allow"] == "GET"


def test_people_are_refused_in_words(page):
    refused = page.client(None).get("/", headers={"Accept": "text/html,*/*"})
    assert (refused.status_code, refused.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "personal link" in refused.text


def test_nothing_that_was_sent_comes_back(fresh):
    """No template or sentence repeats what a stranger wrote."""
    mark = "<b>{{7*7}}{% raw %}${7*7}"
    client = fresh.client(fresh.ann)
    answers = [
        client.get(f"/{mark}", headers={"Accept": "text/html"}),
        client.get(f"/in/{mark}", headers={"Accept": "text/html"}),
        client.get("/api/pair", params={"holding": mark}),
        client.post("/api/choice", json={mark: mark, **BODIES["/api/choice"], "choice": mark}),
    ]
    for answer in answers:
        assert 400 <= answer.status_code < 500
        assert "49" not in answer.text
        assert "<b>" not in answer.text
    unlikely = fresh.desk.admit("{{7*7}} <b>Eve</b>")
    opened = fresh.client(unlikely).get(f"/in/{token_of(KEY, Claim(unlikely.number, 0))}")
    assert "{{7*7}} &lt;b&gt;Eve" in opened.text


def test_there_are_no_websockets(page):
    sent = []

    async def connect():
        scope = {"type": "websocket", "path": "/api/state", "headers": [(b"host", b"localhost")], "query_string": b""}

        async def send(message):
            sent.append(message)

        await page.client(None).app(scope, lambda: None, send)

    asyncio.run(connect())
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_the_description_of_the_api_is_for_those_who_were_let_in(page):
    assert page.client(None).get("/openapi.json").status_code == 401
    assert page.client(page.ann).get("/openapi.json").json()["info"]["title"]
    for path in ("/docs", "/redoc"):
        assert page.client(page.ann).get(path).status_code == 404


# --- limits (case 71)


def test_a_person_who_asks_too_often_waits_and_nobody_else_does(fresh):
    slow = Rate(per_second=0.01, burst=3)
    ann = fresh.client(fresh.ann, annotator=slow)
    answers = [ann.get("/api/state") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 80 < int(answers[-1].headers["retry-after"]) <= 100
    assert fresh.client(fresh.ben, annotator=slow).get("/api/state").status_code == 200


def test_a_hasty_person_is_not_slowed_by_the_usual_limits(page):
    client = page.client(page.ann, annotator=Settings.__dataclass_fields__["annotator"].default)
    assert {client.get("/api/state").status_code for _ in range(50)} == {200}


def test_who_guesses_links_waits_and_who_has_one_does_not(fresh):
    usual = Settings.__dataclass_fields__["guesses"].default
    ann, guesser = (fresh.client(who, guesses=usual) for who in (fresh.ann, None))
    tried = [guesser.get(f"/in/{number}.0.{'0' * 32}").status_code for number in range(11)]
    assert tried == [403] * 10 + [429]
    guesser.cookies.set(cookie_of(KEY), f"1.0.{'1' * 32}")
    assert guesser.get("/api/state").status_code == 429
    assert ann.get("/api/state").status_code == 200
    assert ann.get(f"/in/{token_of(KEY, Claim(fresh.ann.number, 0))}").status_code == 200


def test_strangers_of_one_address_are_limited_together(page):
    client = page.client(None, stranger=Rate(per_second=0.1, burst=2))
    assert [client.get(path).status_code for path in ("/", "/favicon.ico", "/static/label.js")] == [401, 204, 429]


def test_a_bucket_fills_again():
    now = [0.0]
    buckets = Buckets(Rate(per_second=2.0, burst=3), clock=lambda: now[0])
    assert [buckets.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    now[0] = 0.25
    assert buckets.take("a") == 0.25
    now[0] = 0.5
    assert (buckets.take("a"), buckets.take("b")) == (0.0, 0.0)
    now[0] = 1000.0
    assert [buckets.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_clients_that_were_silent_are_forgotten(monkeypatch):
    monkeypatch.setattr("boldly.web.security.rates._MOST_CLIENTS", 3)
    buckets = Buckets(Rate(per_second=1.0, burst=1), clock=lambda: 0.0)
    assert [buckets.take(client) for client in "abcabc"] == [0.0] * 3 + [1.0] * 3
    assert buckets.take("d") == 0.0
    assert buckets.take("a") == 0.0


def test_a_body_of_a_hundred_megabytes_is_not_read(page):
    client = page.client(page.ann)
    headers = {"Content-Type": "application/json", "Content-Length": str(100 << 20)}
    refused = client.post("/api/choice", content=b"{}", headers=headers)
    assert (refused.status_code, refused.headers["connection"]) == (413, "close")


def test_a_body_without_a_length_is_counted_while_it_comes(page):
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1000
            yield b" " * 1000

    status, _ = asyncio.run(asked(page.client(None).app, "POST", "/api/beat", endless(), who=page.ann))
    assert status == 413
    assert taken <= MOST_BYTES + 2000


def test_the_longest_body_that_is_read(page):
    client = page.client(page.ann)
    content = b'{"leases": []}'.ljust(MOST_BYTES)
    for extra, status in ((b"", 200), (b" ", 413)):
        answer = client.post("/api/beat", content=content + extra, headers={"Content-Type": "application/json"})
        assert answer.status_code == status


def test_a_body_that_drips_is_given_up(monkeypatch):
    monkeypatch.setattr("boldly.web.security.bodies.MOST_SECONDS", 0.2)

    async def receive():
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    scope = {"type": "http", "method": "POST", "headers": []}
    begun = time.monotonic()
    with pytest.raises(HTTPException) as refused:
        asyncio.run(Bodies(_never)(scope, receive, None))
    assert refused.value.status_code == 408
    assert time.monotonic() - begun < 5.0


def test_a_client_that_left_is_nobody():
    async def receive():
        return {"type": "http.disconnect"}

    with pytest.raises(ClientDisconnect):
        asyncio.run(Bodies(_never)({"type": "http", "method": "POST", "headers": []}, receive, None))


async def _never(scope, receive, send):
    raise AssertionError


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ([(b"x-%d" % number, b"1") for number in range(10_000)], "/api/state", 431),
        ([(b"x", b"1" * 20_000)], "/api/state", 431),
        ([], "/api/state?" + "a" * 5000, 414),
        ([], "/" + "a" * 5000, 414),
    ],
)
def test_long_headers_and_addresses_are_refused(page, headers, path, status):
    app = page.client(None).app
    assert asyncio.run(asked(app, "GET", path, who=page.ann, headers=headers))[0] == status


# --- what is asked of pairs (case 72)


def leased(client) -> str:
    return client.get("/api/pair").json()["pair"]["lease"]


def test_leases_of_nobody_of_others_and_of_other_orders_are_unknown(fresh):
    ann, ben = fresh.client(fresh.ann), fresh.client(fresh.ben)
    lease = leased(ann)
    token, _, signature = lease.rpartition(".")
    turned = f"{token}.{signature[::-1]}"
    for client, sent in ((ann, NO_LEASE), (ann, turned), (ben, lease)):
        for path in ("/api/choice", "/api/flag"):
            refused = client.post(path, json={**BODIES[path], "lease": sent})
            assert (refused.status_code, refused.json().keys()) == (404, {"error"})
        assert client.get("/api/held", params={"lease": sent}).json()["pairs"] == []
        assert client.post("/api/beat", json={"leases": [sent]}).json()["gone"] == [sent]
        assert client.post("/api/release", json={"leases": [sent]}).status_code == 200
    assert fresh.desk.choices() == ()
    assert ann.get("/api/held", params={"lease": lease}).json()["pairs"]


def test_a_lease_that_was_answered_makes_no_second_label(fresh):
    client = fresh.client(fresh.ann)
    lease = leased(client)
    body = {**BODIES["/api/choice"], "lease": lease}
    assert client.post("/api/choice", json=body).status_code == 200
    again = client.post("/api/choice", json={**body, "key": "key-00000002", "choice": "tie"})
    assert again.status_code in (200, 409)
    assert len(fresh.ledger.labels()) == 1
    assert fresh.ledger.spent().money == 0.5


def test_a_choice_that_comes_after_its_lease_is_kept(tmp_path):
    with page_of(tmp_path, lease_seconds=0.05) as page:
        client = page.client(page.ann)
        body = {**BODIES["/api/choice"], "lease": leased(client)}
        time.sleep(0.1)
        assert client.get("/api/held", params={"lease": body["lease"]}).json()["pairs"] == []
        assert client.post("/api/choice", json=body).json()["outcome"] == "label"


@pytest.mark.parametrize(
    "change",
    [
        {"choice": "a"},
        {"choice": "b"},
        {"choice": "LEFT"},
        {"choice": None},
        {"choice": ["left"]},
        {"seconds": -1},
        {"seconds": "1"},
        {"seconds": True},
        {"seconds": 1e9},
        {"seconds": None},
        {"key": ""},
        {"key": "short"},
        {"key": "k" * 65},
        {"key": "key with spaces"},
        {"key": "../../../../x"},
        {"lease": ""},
        {"lease": "0" * 49},
        {"lease": {"$gt": ""}},
        {"strength": "very"},
        {"reason": "x" * 2001},
        {"reason": "a\x00b"},
        {"reason": "\ud800"},
        {"holding": [NO_LEASE] * 9},
        {"holding": "all"},
        {"order": "ab"},
        {"annotator": 1},
        {"price": 0},
    ],
)
def test_fields_that_can_not_be_are_refused(page, change):
    client = page.client(page.ann)
    content = json.dumps({**BODIES["/api/choice"], "lease": leased(client), **change})
    refused = client.post("/api/choice", content=content, headers={"Content-Type": "application/json"})
    assert refused.status_code == 422
    assert refused.json().keys() == {"error"}
    assert page.desk.choices() == ()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"leases": [' + b"[" * 60_000,
        b'{"seconds": ' + b"9" * 60_000 + b"}",
        b'{"key": "key-00000001", "lease": "' + NO_LEASE.encode() + b'", "choice": "left", "seconds": NaN}',
        b'{"key": "key-00000001", "lease": "' + NO_LEASE.encode() + b'", "choice": "left", "seconds": 1e999}',
    ],
)
def test_what_is_no_choice_is_refused(page, content):
    refused = page.client(page.ann).post("/api/choice", content=content, headers={"Content-Type": "application/json"})
    assert refused.status_code in (400, 422)
    assert refused.json().keys() == {"error"}


# --- over the application itself, for what a client would put right


async def asked(app, method, path, body=(), *, who=None, headers=()):
    """Send a request as bytes on a wire would be understood; its status and what came back."""
    path, _, query = path.partition("?")
    sent, chunks = [], iter(body)
    cookie = f"{cookie_of(KEY)}={token_of(KEY, Claim(who.number, who.generation))}".encode() if who else b""
    scope = {
        "type": "http",
        "method": method,
        "path": re.sub("%([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), path),
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8765),
        "query_string": query.encode(),
        "headers": [
            (b"host", b"localhost:8765"),
            (b"origin", ORIGIN.encode()),
            (b"content-type", b"application/json"),
            (b"cookie", cookie),
            *headers,
        ],
    }

    async def receive():
        chunk = next(chunks, None)
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def test_the_key_is_in_nothing_that_is_printed(page):
    assert repr(KEY) not in repr(page.settings)
    assert repr(KEY) not in repr(vars(page.client(None).app))
