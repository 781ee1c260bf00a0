"""Leases and choices are taken from the person they belong to, once, and only as the API has them (case 72)."""

import json
import time

import pytest

from tests.support.desk_page import page_of
from tests.web.security.asking import BODIES, NO_LEASE, leased


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
