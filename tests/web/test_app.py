"""What people do on the page, through the application and into a ledger in a file."""

import json
import logging

import pytest

from boldly.errors import StorageError
from boldly.ledger.sql.desk import Tally
from boldly.types import BothBad, Preference, Tie, preference_of
from boldly.web.payloads import Pace, state_of
from boldly.web.settings import Settings, Stage
from boldly.web.tokens import Claim, cookie_of, token_of
from tests.support.desk_page import KEY, ORIGIN, SECRETS, page_of, query


@pytest.fixture
def page(tmp_path):
    with page_of(tmp_path) as page:
        yield page


def link_of(annotator) -> str:
    return f"/in/{token_of(KEY, Claim(annotator.number, annotator.generation))}"


def choose(client, pair, choice="left", *, key="key-00000001", holding=(), **more):
    body = {"key": key, "lease": pair["lease"], "choice": choice, "seconds": 2.5, "holding": list(holding), **more}
    return client.post("/api/choice", json=body)


def text_of(side) -> str:
    return "".join(text for text, _ in side["raw"])


def test_a_personal_link_becomes_a_cookie_that_opens_the_page(page):
    client = page.client(None)
    assert client.get("/").status_code == 401
    entered = client.get(link_of(page.ann))
    assert entered.status_code == 200
    assert 'http-equiv="refresh" content="0; url=/"' in entered.text
    cookie = entered.headers["set-cookie"].lower()
    assert cookie.startswith(f"{cookie_of(KEY)}=")
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "secure" not in cookie
    assert client.get("/api/state").status_code == 200


def test_behind_a_proxy_with_tls_the_cookie_never_goes_without(page):
    entered = page.client(None).get(link_of(page.ann), headers={"X-Forwarded-Proto": "https"})
    assert "; secure" in entered.headers["set-cookie"].lower()


def test_what_was_chosen_by_its_side_becomes_a_label_of_that_response(page):
    """Ann prefers each alpha, whichever side it is on; both sides come up."""
    client, sides = page.client(page.ann), []
    pair = client.get("/api/pair").json()["pair"]
    for number in range(12):
        sides.append("left" if "alpha" in text_of(pair["left"]) else "right")
        assert "beta" in text_of(pair["right" if sides[-1] == "left" else "left"])
        chosen = choose(client, pair, sides[-1], key=f"key-0000{number:04}").json()
        assert (chosen["outcome"], chosen["repeated"]) == ("label", False)
        assert chosen["state"]["mine"] == number + 1
        pair = chosen["pair"]
    assert pair is None
    labels = page.ledger.labels()
    assert [preference_of(label.verdict) for label in labels] == [1.0] * 12
    assert {label.source for label in labels} == {"people:Ann"}
    assert set(sides) == {"left", "right"}
    for label, side in zip(labels, sides, strict=True):
        assert label.facts["order"] == ("ab" if side == "left" else "ba")
        assert label.facts["seconds"] == 2.5


def test_ties_and_both_bad_are_different_verdicts(page):
    client = page.client(page.ann)
    pair = client.get("/api/pair").json()["pair"]
    pair = choose(client, pair, "tie", key="key-tie-1").json()["pair"]
    choose(client, pair, "both_bad", key="key-bad-1")
    assert [label.verdict for label in page.ledger.labels()] == [Tie(), BothBad()]


def test_a_skipped_pair_is_no_label_and_goes_to_somebody_else(page):
    client = page.client(page.ann)
    pair = client.get("/api/pair").json()["pair"]
    skipped = choose(client, pair, "skip").json()
    assert skipped["outcome"] == "skipped"
    assert skipped["pair"]["prompt"] != pair["prompt"]
    assert page.ledger.labels() == ()
    assert page.client(page.ben).get("/api/pair").json()["pair"]["prompt"] == pair["prompt"]


def test_the_next_pair_comes_with_the_answer_and_is_another(page):
    client = page.client(page.ann)
    first = client.get("/api/pair").json()["pair"]
    second = client.get("/api/pair", params={"holding": [first["lease"]]}).json()["pair"]
    third = choose(client, first, holding=[second["lease"]]).json()["pair"]
    assert len({first["lease"], second["lease"], third["lease"]}) == 3
    assert len({json.dumps(pair["prompt"]) for pair in (first, second, third)}) == 3


def test_no_pair_is_given_to_two_people(page):
    ann, ben = page.client(page.ann), page.client(page.ben)
    given = [json.dumps(client.get("/api/pair").json()["pair"]["prompt"]) for client in (ann, ben)]
    assert given[0] != given[1]


def test_a_choice_that_is_resent_counts_once(page):
    client = page.client(page.ann)
    pair = client.get("/api/pair").json()["pair"]
    answers = [choose(client, pair, "left").json() for _ in range(3)]
    assert [answer["repeated"] for answer in answers] == [False, True, True]
    assert {answer["outcome"] for answer in answers} == {"label"}
    assert len(page.ledger.labels()) == 1
    assert page.ledger.spent().money == 0.5


def test_undo_gives_the_pair_back_and_the_next_choice_corrects_it(page):
    client = page.client(page.ann)
    pair = client.get("/api/pair").json()["pair"]
    side = "left" if "alpha" in text_of(pair["left"]) else "right"
    choose(client, pair, side)
    again = client.post("/api/undo", json={"key": "key-undo-1"}).json()["pair"]
    assert again["was"] == side
    assert (again["left"], again["right"], again["prompt"]) == (pair["left"], pair["right"], pair["prompt"])
    other = "right" if side == "left" else "left"
    assert choose(client, again, other, key="key-redo-1").json()["outcome"] == "corrected"
    (label,) = page.ledger.labels()
    assert (label.verdict, label.corrected) == (Preference(0.0), 2)
    assert page.ledger.spent().money == 0.5


def test_nothing_to_undo_is_no_error(page):
    undone = page.client(page.ann).post("/api/undo", json={"key": "key-undo-1"})
    assert (undone.status_code, undone.json()["pair"]) == (200, None)


def test_a_flag_is_kept_and_changes_nothing(page):
    client = page.client(page.ann)
    pair = client.get("/api/pair").json()["pair"]
    flagged = client.post("/api/flag", json={"key": "key-flag-1", "lease": pair["lease"], "note": "shows a name"})
    assert flagged.json()["outcome"] == "flagged"
    assert page.ledger.labels() == ()
    assert choose(client, pair).json()["outcome"] == "label"
    (flag,) = [choice for choice in page.desk.choices() if choice.action == "flag"]
    assert flag.facts["note"] == "shows a name"


def test_a_page_that_is_loaded_again_finds_its_pairs(page):
    client = page.client(page.ann)
    first = client.get("/api/pair").json()["pair"]
    second = client.get("/api/pair", params={"holding": [first["lease"]]}).json()["pair"]
    unknown = f"{'0' * 32}.{'0' * 16}"
    held = client.get("/api/held", params={"lease": [first["lease"], second["lease"], unknown]}).json()["pairs"]
    assert {pair["lease"] for pair in held} == {first["lease"], second["lease"]}
    found = next(pair for pair in held if pair["lease"] == first["lease"])
    assert {**found, "expires_in": 0} == {**first, "expires_in": 0}


def test_leases_that_were_given_back_are_gone(page):
    client = page.client(page.ann)
    pair = client.get("/api/pair").json()["pair"]
    assert client.post("/api/beat", json={"leases": [pair["lease"]]}).json()["gone"] == []
    assert client.post("/api/release", json={"leases": [pair["lease"]]}).status_code == 200
    unknown = f"{'0' * 32}.{'0' * 16}"
    gone = client.post("/api/beat", json={"leases": [pair["lease"], unknown]}).json()["gone"]
    assert gone == [pair["lease"], unknown]
    assert client.get("/api/held", params={"lease": pair["lease"]}).json()["pairs"] == []


def test_strength_and_reason_are_stored(page):
    client = page.client(page.ann)
    choose(client, client.get("/api/pair").json()["pair"], strength="clearly", reason="ends: \N{SNOWMAN}")
    (label,) = page.ledger.labels()
    assert (label.facts["strength"], label.facts["reason"]) == ("clearly", "ends: \N{SNOWMAN}")


@pytest.mark.parametrize(
    ("loop", "wanted", "message"),
    [
        (Stage("labelling"), 12, "the model trains when 12 more are labelled"),
        (Stage("labelling"), 1, "the model trains when 1 more is labelled"),
        (Stage("labelling"), 0, "the model is writing the next pairs; they come by themselves"),
        (Stage("learning", 16), 3, "the model is learning from 16 labels; the next pairs come by themselves"),
        (Stage("learning", 1), 3, "the model is learning from 1 label; the next pairs come by themselves"),
        (Stage("ended"), 0, "all labels of this run are there; thank you"),
        (Stage("ended"), 4, "this run has ended, as what it may spend is spent; thank you"),
        (Stage("stopped"), 5, "nobody trains at the moment: Ctrl-C, and `boldly label runs/tiny` again, starts it"),
    ],
)
def test_the_state_says_what_the_model_waits_for(loop, wanted, message):
    settings = Settings("runs/tiny", KEY, frozenset(), state=lambda: loop, dashboard=dict)
    tally = Tally(mine=1, labels=20, budget=100, waiting=wanted, wanted=wanted)
    assert state_of(tally, loop, settings, Pace(), owner=True).message == message


def test_only_the_owner_is_told_where_the_run_is(page):
    """Neither what the API says nor the page itself has the directory, which may be the path of somebody's home."""
    told = {"run": "/home/ann/runs/secret", "state": lambda: Stage("stopped")}
    ann, ben = (page.client(who, **told) for who in (page.ann, page.ben))
    message = ann.get("/api/state").json()["state"]["message"]
    assert message == "nobody trains at the moment: Ctrl-C, and `boldly label /home/ann/runs/secret` again, starts it"
    assert "/home/ann/runs/secret" in ann.get("/dashboard").text
    message = ben.get("/api/state").json()["state"]["message"]
    assert message == "nobody trains at the moment; whoever shared the link can start it"
    for path in ("/", "/api/pair", "/dashboard", "/nothing"):
        assert "secret" not in ben.get(path).text


@pytest.mark.parametrize(("wanted", "message"), [(3, "3 pairs are left to compare"), (1, "1 pair is left to compare")])
def test_where_nothing_is_trained_the_state_says_what_is_left(wanted, message):
    settings = Settings("c", KEY, frozenset(), state=lambda: Stage("labelling"), dashboard=dict, compares=True)
    tally = Tally(mine=1, labels=20, budget=23, waiting=wanted, wanted=wanted)
    assert state_of(tally, settings.state(), settings, Pace(), owner=False).message == message


def test_how_long_it_takes_follows_the_labels_that_came():
    """Ten labels in 60 s: six more take 36 s, and after a pause it follows what came lately."""
    now = [100.0]
    pace = Pace(window=60.0, clock=lambda: now[0])
    assert pace.eta(50, 6) is None
    now[0] = 130.0
    assert pace.eta(55, 6) == pytest.approx(36.0)
    now[0] = 160.0
    assert pace.eta(60, 6) == pytest.approx(36.0)
    now[0] = 190.0
    assert pace.eta(90, 6) == pytest.approx(6 * 60.0 / 35)


def test_the_state_counts_what_is_there(page):
    client = page.client(page.ann)
    choose(client, client.get("/api/pair").json()["pair"])
    page.client(page.ben).get("/api/pair")
    state = client.get("/api/state").json()["state"]
    assert (state["mine"], state["labels"], state["budget"], state["wanted"]) == (1, 1, 100, 11)
    assert page.client(page.ben).get("/api/state").json()["state"]["mine"] == 0


def test_the_dashboard_is_for_the_owner_alone(page):
    assert page.client(page.ann).get("/api/dashboard").json() == {"labels": 0}
    for path in ("/dashboard", "/api/dashboard"):
        refused = page.client(page.ben).get(path)
        assert (refused.status_code, "error" in refused.json()) == (403, True)


def test_no_payload_tells_who_wrote_what(tmp_path):
    """Every answer of the API to everything that a person does, searched for what the ledger knows of the pairs."""
    planted = {"overlap": 1, "repeat_rate": 1.0, "accounts": ("training", "consistency")}
    with page_of(tmp_path, queries=3, **planted) as page:
        client, seen = page.client(page.ann), []
        pair = client.get("/api/pair").json()["pair"]
        fields = None
        for number in range(6):
            held = client.get("/api/held", params={"lease": pair["lease"]})
            beat = client.post("/api/beat", json={"leases": [pair["lease"]]})
            flag = client.post("/api/flag", json={"key": f"key-flag-{number}", "lease": pair["lease"]})
            chosen = choose(client, pair, "right", key=f"key-choice-{number}")
            seen += [held, beat, flag, chosen]
            fields = fields or pair.keys()
            pair = chosen.json()["pair"]
            if pair is None:
                break
            assert pair.keys() == fields
        seen += [client.post("/api/undo", json={"key": "key-undo-1"}), client.get("/api/state")]
        assert page.ledger.queries(0, "consistency") or page.ledger.unanswered("consistency") == 0
    assert len(seen) > 10
    ids = [query(number).id for number in range(3)]
    for answer in seen:
        assert answer.status_code == 200
        assert not [secret for secret in (*SECRETS, *ids, "repeat", "planted", "gold") if secret in _told(answer)]


def _told(answer) -> str:
    """What an answer tells, without the word of ours that says a key was sent before."""
    return answer.text.replace('"repeated":', "") + str(answer.headers)


def test_texts_of_any_letters_reach_the_page(tmp_path):
    with page_of(tmp_path, queries=0) as page:
        page.ledger.ask([query(0, a="lone \ud83d surrogate", b="\u202eevil\x00 <script>alert(1)</script>")])
        answer = page.client(page.ann).get("/api/pair")
        assert answer.status_code == 200
        shown = answer.json()["pair"]
        assert "<script" not in shown["left"]["html"] + shown["right"]["html"]
        assert "alert(1)" in text_of(shown["left"]) + text_of(shown["right"])


def test_a_ledger_that_breaks_acknowledges_nothing_more(page, monkeypatch, caplog):
    client = page.client(page.ann)
    pair = client.get("/api/pair").json()["pair"]
    monkeypatch.setattr(page.desk, "turn", _raising(StorageError("`ledger.sqlite` can't be written: no space left")))
    refused = choose(client, pair)
    assert refused.status_code == 503
    assert refused.json().keys() == {"error"}
    assert "ledger.sqlite" not in refused.text
    assert "no space left" in caplog.text
    assert isinstance(client.app.state.broken, StorageError)


def test_a_fault_of_ours_is_told_to_the_log_alone(page, monkeypatch, caplog):
    monkeypatch.setattr(page.desk, "tally", _raising(RuntimeError("the secret of the house")))
    with caplog.at_level(logging.ERROR):
        refused = page.client(page.ann).get("/api/state")
    assert refused.status_code == 500
    assert refused.json().keys() == {"error"}
    assert "secret" not in refused.text
    assert "Traceback" not in refused.text
    assert "the secret of the house" in caplog.text
    assert refused.headers["content-security-policy"]


def _raising(error: Exception):
    def raise_it(*args, **kwargs):
        raise error

    return raise_it


@pytest.mark.parametrize("where", ["file", "server"])
def test_several_processes_serve_one_run(where, tmp_path, request):
    """Two servers that share nothing but the ledger: what the one gave is answered at the other, and counts once."""
    run = tmp_path if where == "file" else request.getfixturevalue("url")
    with page_of(run) as one, page_of(run) as other:
        assert one.ann == other.ann
        first, second, ben = one.client(one.ann), other.client(other.ann), other.client(other.ben)
        pair = first.get("/api/pair").json()["pair"]
        assert ben.get("/api/pair").json()["pair"]["prompt"] != pair["prompt"]
        assert second.get("/api/held", params={"lease": pair["lease"]}).json()["pairs"][0]["left"] == pair["left"]
        assert choose(second, pair).json()["outcome"] == "label"
        assert choose(first, pair).json()["repeated"]
        assert first.post("/api/undo", json={"key": "key-undo-1"}).json()["pair"]["lease"]
        assert len(one.ledger.labels()) == len(other.ledger.labels()) == 1
        one.desk.revoke("Ben")
        assert ben.get("/api/state").status_code == 403


def test_pages_hold_no_data(page):
    client = page.client(page.ann)
    for path in ("/", "/dashboard"):
        opened = client.get(path)
        assert opened.status_code == 200
        assert opened.headers["content-type"] == "text/html; charset=utf-8"
        assert "alpha" not in opened.text
        assert page.ann.name in opened.text or path == "/dashboard"
    assert ORIGIN not in client.get("/").text
