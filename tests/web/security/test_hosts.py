"""The page answers under its own names alone."""

import pytest

from boldly.web.security.hosts import is_every, is_loopback, name_in, names_of
from tests.web.security.asking import routes_of, send


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
