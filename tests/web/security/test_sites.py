"""What another site sends in the name of a person who has a link is refused."""

import pytest

from tests.support.desk_page import ORIGIN
from tests.web.security.asking import routes_of, send


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
