"""Runs by `boldly run` with each oracle from a configuration as the manual shows it, and how they end when it fails."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest
from transformers import LlamaConfig

from boldly.cli import main
from boldly.ledger import Spent
from boldly.ledger.sql import SqlLedger
from boldly.types import Account
from tests.faults.small import configured, judging, labels, write
from tests.oracles.judge.buying import longest
from tests.oracles.judge.service import Got, Reply, Service, error, serving
from tests.runner import test_own_model as own

CANARY = "sk-canary-0c5f1d8e"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)


@pytest.fixture
def service() -> Generator[Service]:
    with serving(longest) as running:
        yield running


def run(*flags: str) -> int:
    return main(["run", "--config", "run.yaml", "--quiet", *flags])


def spent(account: Account = "training") -> Spent:
    with closing(SqlLedger("mine/ledger.sqlite", read_only=True)) as ledger:
        return ledger.spent(account)


def calls(root: str = "mine") -> int:
    with closing(sqlite3.connect(f"{root}/ledger.sqlite")) as connection:
        return connection.execute("SELECT count(*) FROM calls").fetchone()[0]


def test_a_judge_labels_and_its_key_is_in_nothing_that_is_left(service: Service, capsys: pytest.CaptureFixture[str]):
    """Case 80: not in the database, its journal, the report, the model's card, the configuration, nor on the screen."""
    configured(oracle=judging(service.url), evaluation={"prompts": 4, "labels": 4})
    assert main(["run", "--config", "run.yaml", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["bought"] == 8
    assert len(service.got) == calls()
    assert all(got.headers["authorization"] == f"Bearer {CANARY}" for got in service.got)
    kept = [path for path in Path().rglob("*") if path.is_file()]
    assert {"ledger.sqlite", "report.html", "config.yaml"} <= {path.name for path in kept}
    assert not [path for path in kept if CANARY.encode() in path.read_bytes()]
    assert CANARY not in shown.out + shown.err


def test_a_judge_without_a_key_is_refused_before_anything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delenv("OPENAI_API_KEY")
    configured(oracle=judging("https://judge.invalid/v1"))
    assert run() == 2
    assert "write `export OPENAI_API_KEY=...` first" in capsys.readouterr().err
    assert not Path("mine").exists()


def test_a_key_that_is_not_taken_stops_the_run_and_another_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def guarded(got: Got) -> Reply:
        given = got.headers["authorization"]
        return longest(got) if given == "Bearer right" else error(401, f"the key {given} is not known")

    with serving(guarded) as service:
        configured(oracle=judging(service.url, workers=1))
        assert run() == 6
        assert len(service.got) == 1
        assert CANARY not in capsys.readouterr().err
        assert not [path for path in Path("mine").rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
        monkeypatch.setenv("OPENAI_API_KEY", "right")
        assert run() == 0
        assert len(service.got) == calls()
    assert len(labels("mine")) == 8


def test_a_judge_that_is_down_ends_with_6_and_the_same_command_goes_on(capsys: pytest.CaptureFixture[str]):
    """The service goes after the first round: its labels stay, and nothing is asked twice of a judge who comes back."""
    state = {"up": 8}

    def mortal(got: Got) -> Reply:
        state["up"] -= 1
        return longest(got) if state["up"] >= 0 else error(503, "later")

    with serving(mortal) as service:
        configured(oracle=judging(service.url, workers=1))
        assert run() == 6
        assert "boldly: " in capsys.readouterr().err
        before = labels("mine")
        assert len(before) == 4
        state["up"] = 10**6
        answered = len(service.got)
        assert run() == 0
        assert labels("mine")[:4] == before
        assert len(labels("mine")) == 8
        assert len(service.got) - answered == 8
        assert len(service.got) == calls()


@pytest.mark.slow
def test_nobody_behind_an_address_is_6(capsys: pytest.CaptureFixture[str]):
    with serving(longest) as gone:
        url = gone.url
    configured(oracle=judging(url, workers=1))
    assert run() == 6
    assert labels("mine") == ()
    assert spent().money == 0.0


def test_money_that_is_spent_ends_with_4_and_more_of_it_goes_on(service: Service, capsys: pytest.CaptureFixture[str]):
    """What was bought is learned from. A label costs 0.208, and has to be within the money by its bound, far above."""
    configured(oracle=judging(service.url, workers=1))
    assert run("--dry-run", "--json") == 0
    bound = json.loads(capsys.readouterr().out)["purchases"][0]["each"]
    money = bound + 4.5 * 0.208
    assert run("--money", str(money)) == 4
    shown = capsys.readouterr()
    some = labels("mine")
    assert 0 < len(some) < 8
    assert f"{len(some)} of 8 labels" in shown.err
    assert spent().money <= money
    assert Path("mine/model/config.json").is_file()
    with closing(SqlLedger("mine/ledger.sqlite", read_only=True)) as ledger:
        assert {sequence for step in ledger.steps() for sequence in step.labels} == set(range(len(some)))
    assert run("--money", "300") == 0
    assert labels("mine")[: len(some)] == some
    assert len(labels("mine")) == 8
    assert len(service.got) == calls()


def test_money_for_no_label_at_all_is_4_and_nothing_is_sent(service: Service):
    configured(oracle=judging(service.url))
    assert run("--money", "0.001") == 4
    assert service.got == []
    assert not Path("mine/model").exists()


def asked(root: str = "mine") -> list[str]:
    with closing(SqlLedger(f"{root}/ledger.sqlite", read_only=True)) as ledger:
        return [query.id for t in range(4) for query in ledger.waiting(t)]


def test_people_are_waited_for_and_told_by_the_command_in_the_message(capsys: pytest.CaptureFixture[str]):
    configured(oracle={"name": "people", "price": 0.4})
    assert run() == 3
    shown = capsys.readouterr()
    assert "4 queries wait in mine for verdicts of people" in shown.err
    line = next(line.split() for line in shown.err.splitlines() if "--query" in line)
    first, second = asked()[:4], asked()[4:]
    assert len(second) == 4, "the next round is asked ahead"
    assert line[:3] == ["boldly", "tell", "mine"]
    assert main(["tell", "mine", *line[3:]]) == 0
    assert asked() == first[1:] + second
    assert run() == 3, "a round is learned from when all of it is told"
    rows = "".join(json.dumps({"query_id": one, "verdict": "tie"}) + "\n" for one in first[1:])
    assert main(["tell", "mine", write("told.jsonl", rows), "--by", "ann"]) == 0
    assert run() == 3
    assert asked() == second
    rows = "query_id,verdict\n" + "".join(f"{one},b\n" for one in second)
    assert main(["tell", "mine", write("told.csv", rows), "--by", "ben"]) == 0
    assert run() == 0
    bought = labels("mine")
    assert [label.query.id for label in bought] == first + second
    assert [label.facts["annotator"] for label in bought] == ["NAME"] + ["ann"] * 3 + ["ben"] * 4
    assert spent().money == pytest.approx(8 * 0.4)


TELLER = """
import json, subprocess, sys, time
from contextlib import closing
from pathlib import Path
from boldly.cli import main
from boldly.errors import BoldlyError
from boldly.ledger.sql import SqlLedger

told, end = 0, time.monotonic() + 120
while told < 8 and time.monotonic() < end:
    time.sleep(0.1)
    try:
        with closing(SqlLedger(Path("mine/ledger.sqlite"), read_only=True)) as ledger:
            waiting = [query.id for t in range(2) for query in ledger.waiting(t)]
    except BoldlyError:
        continue
    for one in waiting:
        told += main(["tell", "mine", "--query", one, "--verdict", "a", "--by", "ann"]) == 0
"""


def test_a_run_that_waits_goes_on_when_another_process_tells(capsys: pytest.CaptureFixture[str]):
    configured(oracle={"name": "people"})
    with subprocess.Popen([sys.executable, "-c", TELLER], stdout=subprocess.DEVNULL) as teller:
        assert main(["run", "--config", "run.yaml", "--wait"]) == 0
    assert teller.returncode == 0
    assert [label.facts["annotator"] for label in labels("mine")] == ["ann"] * 8
    assert "waiting: 4 queries wait in mine for verdicts of people" in capsys.readouterr().err


def test_labels_of_another_run_train_another_recipe_and_nobody_is_asked(service: Service):
    configured(oracle=judging(service.url))
    assert run() == 0
    sent = len(service.got)
    assert run("--labels", "mine", "--recipe", "xpo", "--output", "again") == 0
    assert len(service.got) == sent
    reused = labels("again")
    assert len(reused) == 8
    assert {label.provenance for label in reused} == {"recorded"}
    said = {frozenset((label.query.a.text, label.query.b.text)): label for label in labels("mine")}
    assert {label.facts["source"] for label in reused} == {"judge:m"}
    assert {frozenset((label.query.a.text, label.query.b.text)) for label in reused} == {*said}
    with closing(SqlLedger("again/ledger.sqlite", read_only=True)) as ledger:
        kept = ledger.spent()
        assert (kept.bought, kept.recorded, kept.money) == (0, 8, 0.0)
        assert {sequence for step in ledger.steps() for sequence in step.labels} > {0, 1, 2, 3}


@pytest.mark.slow
def test_a_file_in_trls_format_is_trained_on(capsys: pytest.CaptureFixture[str]):
    configured(oracle={"name": "recorded", "source": "trl.jsonl"})
    prompts = [json.loads(line)["prompt"] for line in Path("prompts.jsonl").read_text().splitlines()]
    rows = [{"prompt": prompt, "chosen": "one two", "rejected": "three"} for prompt in prompts]
    write("trl.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert run() == 0
    found = labels("mine")
    assert len(found) == 8
    for label in found:
        assert (label.query.a.text == "one two") == (label.verdict.probability == 1.0)
    assert "8, none of them bought" in capsys.readouterr().out


def test_a_judge_of_held_out_answers_alone_is_never_asked_about_training(service: Service):
    log = "    with open('asked', 'a') as file:\n        file.write(a.text + chr(10))\n"
    write("oracle.py", f"def prefer(prompt, a, b):\n{log}    return True\n")
    mine = {"name": "program", "function": "oracle.py:prefer", "timeout": None}
    judge = judging(service.url, order="first", workers=1, verdict="structured")
    configured(oracle=mine, evaluation={"prompts": 4, "labels": 6, "oracle": judge})
    assert run() == 0
    judged = labels("mine", "evaluation")
    assert {label.source for label in judged} == {"judge:m"}
    assert {label.source for label in labels("mine")} != {"judge:m"}
    assert [(got.between("RESPONSE A"), got.between("RESPONSE B")) for got in service.got] == [
        (label.query.a.text, label.query.b.text) for label in judged
    ]
    assert Path("asked").read_text().splitlines() == [label.query.a.text for label in labels("mine")]


@pytest.mark.slow
def test_labels_are_checked_by_the_same_oracle_the_other_way_round():
    write("oracle.py", "def prefer(prompt, a, b):\n    return True\n")
    mine = {"name": "program", "function": "oracle.py:prefer", "timeout": None}
    configured(oracle=mine, consistency={"share": 1.0})
    assert run() == 0
    sides = [(label.query.a.id, label.query.b.id) for label in labels("mine")]
    checked = labels("mine", "consistency")
    assert sorted((label.query.b.id, label.query.a.id) for label in checked) == sorted(sides)
    with closing(SqlLedger("mine/ledger.sqlite", read_only=True)) as ledger:
        trained = {sequence for step in ledger.steps() for sequence in step.labels}
    assert trained == {label.sequence for label in labels("mine")}
    assert not trained & {label.sequence for label in checked}


@pytest.mark.slow
def test_labels_are_checked_by_a_second_oracle_within_its_limit(service: Service):
    write("oracle.py", "def prefer(prompt, a, b):\n    return True\n")
    mine = {"name": "program", "function": "oracle.py:prefer", "timeout": None}
    configured(oracle=mine, consistency={"share": 1.0, "labels": 3, "oracle": judging(service.url)})
    assert run() == 0
    checked = labels("mine", "consistency")
    assert len(checked) == 3
    assert {label.source for label in checked} == {"judge:m"}
    assert len(labels("mine")) == 8
    assert len(service.got) == calls()


@pytest.mark.parametrize("oracle", [pytest.param("judge", marks=pytest.mark.slow), "people"])
def test_a_rehearsal_asks_nobody_and_leaves_the_run_alone(oracle: str, service: Service):
    configured(oracle=judging(service.url) if oracle == "judge" else {"name": "people", "price": 0.25})
    assert run("--rehearse") == 0
    assert service.got == []
    assert not Path("mine").exists()
    rehearsed = labels("mine-rehearsal")
    assert len(rehearsed) == 8
    assert all(label.source.startswith("bradley_terry") for label in rehearsed)
    assert all(label.price > 0 for label in rehearsed)


def test_a_dry_run_asks_nobody_and_writes_nothing(service: Service, capsys: pytest.CaptureFixture[str]):
    configured(oracle=judging(service.url), consistency={}, evaluation={"prompts": 4, "labels": 4})
    before = {path.name for path in Path().iterdir()}
    assert run("--dry-run") == 0
    assert service.got == []
    assert {path.name for path in Path().iterdir()} == before
    assert "judge:m" in capsys.readouterr().out


def test_the_bundled_model_can_not_judge_itself_by_question(capsys: pytest.CaptureFixture[str]):
    configured(oracle={"name": "self"})
    assert run() == 2
    assert "by: implicit" in capsys.readouterr().err
    assert not Path("mine").exists()


def test_a_chat_model_judges_itself_by_question(monkeypatch: pytest.MonkeyPatch):
    """A tiny Llama of random weights that knows yes and no: its labels are its own, and none is bought."""
    words = ["yes", "no", "Yes", "No", *own.WORDS]
    monkeypatch.setattr(own, "WORDS", words)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
    llama = LlamaConfig(**sizes, max_position_embeddings=1024, initializer_range=0.1, **own.tokens())
    model = own.saved(llama, own.tokenizer_of(chat=True), "llama")
    prompts = write("p.txt", "\n".join(own.QUESTIONS) + "\n")
    configured(model=model, prompts=prompts, generation={"max_tokens": 24}, oracle={"name": "self"})
    assert run() == 0
    found = labels("mine")
    assert len(found) == 8
    assert {label.provenance for label in found} == {"self_made"}
    assert (spent().bought, spent().self_made) == (0, 8)
