"""Who asks too often waits, and nobody else does (case 71)."""

from boldly.web.security.rates import Buckets
from boldly.web.settings import Rate, Settings
from boldly.web.tokens import Claim, cookie_of, token_of
from tests.support.desk_page import KEY


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
