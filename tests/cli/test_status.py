import json
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from boldly.cli import main
from boldly.cli.status import newest_run


def shown(run: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["status", str(run)]) == 0
    return capsys.readouterr().out


def test_the_newest_run_is_shown_by_its_files_alone(a_run: Callable[[str], Path], capsys: pytest.CaptureFixture[str]):
    old, new = a_run("old"), a_run("new")
    os.utime(old / "ledger.sqlite", (1, 1))
    assert newest_run(Path("runs")) == Path("runs/new")
    assert main(["status"]) == 0
    lines = dict(
        line.split(maxsplit=1) for line in capsys.readouterr().out.replace("win rate", "win_rate").splitlines()
    )
    assert lines["run"] == "runs/new (recipe xpo)"
    assert lines["state"] == "stopped, the same command continues"
    assert lines["labels"] == "3 of 64"
    assert lines["failed"] == "1 attempts without an answer"
    assert lines["money"] == "2"
    assert lines["iterate"] == "1, after 3 labels"
    assert lines["reward"] == "0.40 [0.30, 0.50]"
    assert lines["win_rate"].startswith("0.40")
    assert lines["KL"] == "1.50 [1.00, 2.00] from the base, 2.50 [2.00, 3.00] to it, in nats"
    assert new.name == "new"


def test_json_has_the_numbers(a_run: Callable[[str], Path], capsys: pytest.CaptureFixture[str]):
    run = a_run("one")
    assert main(["status", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["labels"], found["budget"], found["failed"], found["money"]) == (3, 64, 1, 2.0)
    assert found["newest"]["reward"] == {"value": 0.4, "low": pytest.approx(0.3), "high": 0.5, "n": 32}
    assert found["base"]["reward"]["value"] == 0.1
    assert (found["model"], found["report"]) == (None, None)


def test_the_limit_of_the_money_stands_beside_what_training_cost_alone(
    a_run: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
):
    from boldly.ledger import Budget
    from boldly.ledger.sql import SqlLedger
    from boldly.testing.build import query
    from boldly.types import Tie

    run = a_run("one")
    config = run / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace("money: null", "money: 2.5", 1), encoding="utf-8")
    with closing(SqlLedger(run / "ledger.sqlite")) as ledger:
        asked = replace(query(0), account="evaluation")
        ledger.ask([asked])
        ledger.tell(ledger.reserve(asked.id, bound=1, budget=Budget(1)).id, Tie(), source="test", price=0.75)
    assert "money     2 of 2.5, and 0.75 beside\n" in shown(run, capsys)


def test_a_run_that_a_process_holds_is_running(a_run: Callable[[str], Path], capsys: pytest.CaptureFixture[str]):
    from boldly.ledger.sql import SqlLedger

    run = a_run("one")
    ledger = SqlLedger(run / "ledger.sqlite")
    assert main(["status", str(run)]) == 0
    assert f"running, process {os.getpid()} on" in capsys.readouterr().out
    ledger.close()
    assert "state     stopped" in shown(run, capsys)


def test_a_run_is_done_under_the_budget_that_it_ended_with(
    a_run: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
):
    run = a_run("one")
    for budget, state in ((64, "done"), (32, "stopped, the same command continues")):
        (run / "result.json").write_text(json.dumps({"budget": budget}))
        assert f"state     {state}\n" in shown(run, capsys)
    (run / "result.json").write_text(json.dumps({"budget": 64, "short": "the next label may cost 1"}))
    assert "state     ended before its labels, as the money is spent\n" in shown(run, capsys)


def test_a_lock_whose_holder_is_gone_holds_nothing(a_run: Callable[[str], Path], capsys: pytest.CaptureFixture[str]):
    """After a power cut the number in the lock may be another process's: the lock itself is what counts."""
    run = a_run("one")
    for pid in (os.getpid(), 1, 2**22 + 1):
        (run / "ledger.sqlite.lock").write_text(json.dumps({"pid": pid, "host": "here"}))
        assert "state     stopped" in shown(run, capsys)


def test_where_people_are_waited_for_it_names_the_page(
    a_run: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
):
    run = a_run("one")
    assert "waiting   1 queries without a label\n" in shown(run, capsys)
    config = run / "config.yaml"
    text = config.read_text(encoding="utf-8")
    assert "oracle:\n  name: bradley_terry\n" in text
    for people in (
        text.replace("oracle:\n  name: bradley_terry\n", "oracle:\n  name: people\n", 1),
        text.replace("consistency: null", "consistency: {oracle: {name: people}}", 1),
    ):
        config.write_text(people, encoding="utf-8")
        assert f"1 queries without a label: `boldly label {run}` shows them to people\n" in shown(run, capsys)


def test_a_folder_without_a_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["status"]) == 2
    assert "there is no run in runs/: write `boldly status DIR`" in capsys.readouterr().err
    assert main(["status", str(tmp_path)]) == 2
    assert "holds no run of boldly" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["status", "report", "label"])
def test_a_comparison_is_sent_to_its_own_command(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "comparison.yaml").write_text("")
    assert main([command, str(tmp_path)]) == 2
    assert f"boldly compare {tmp_path}" in capsys.readouterr().err


def test_those_who_have_a_pair_on_their_page_are_named(
    a_run: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
):
    from boldly.ledger.sql import SqlLedger
    from boldly.ledger.sql.desk import Desk, Rules

    run = a_run("one")
    assert "labelling" not in shown(run, capsys)
    with closing(SqlLedger(run / "ledger.sqlite", exclusive=False)) as ledger:
        desk = Desk(ledger, Rules({}, {}))
        ann, ben = desk.admit("ann"), desk.admit("ben")
        assert desk.lease(ann) is not None
        assert desk.lease(ben) is None
        assert "labelling ann\n" in shown(run, capsys)
        desk.revoke("ann")
    assert "labelling" not in shown(run, capsys)
