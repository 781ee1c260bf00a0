"""`boldly label` as whoever types it sees it: real processes, real requests, real signals."""

import json
import os
import signal
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from boldly import data
from boldly.cli import main
from boldly.cli.label_words import wanted
from boldly.config.desk import rules
from boldly.config.reading import read_config
from boldly.config.saving import dump
from boldly.ledger.lock import is_held
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.desk import Desk
from boldly.types import Label, Query, Response
from tests.support.label_command import Person, label, links_in, refused, wait_until

SMALL = ["--evaluation.prompts", "32", "--schedule.prompts_per_label", "2"]


@pytest.fixture
def a_run(tmp_path: Path) -> Callable[..., Path]:
    """Makes a run that people label, twelve of whose queries wait."""

    def make(**keys: str) -> Path:
        words = wanted("people", [], None).words
        flags = dict(word.removeprefix("--").split("=", 1) for word in words)
        folder = tmp_path / "people"
        folder.mkdir()
        config = read_config(flags={**flags, "output": str(folder), **keys})
        (folder / "config.yaml").write_text(dump(config), encoding="utf-8")
        with closing(SqlLedger(folder / "ledger.sqlite")) as ledger:
            ledger.ask([query(place) for place in range(12)])
        return folder

    return make


def query(place: int) -> Query:
    a, b = (Response(text, tuple(text.encode()), "iterate-0", -1.0, -1.0) for text in ("yes.", "no."))
    return Query(data.prompts()[place], a, b, 0, place)


def labels(run: Path) -> tuple[Label, ...]:
    with closing(SqlLedger(run / "ledger.sqlite", read_only=True)) as ledger:
        return ledger.labels()


def only_serving(run: Path, *words: str):
    return label(str(run), "--no-train", *words, folder=run.parent)


def test_what_was_chosen_is_kept_and_told_by_whom_when_it_stops(a_run: Callable[..., Path]):
    run = a_run()
    with only_serving(run, "--share", "ann") as page:
        assert list(page.links) == ["owner", "ann"]
        me, ann = (Person(link) for link in page.links.values())
        assert [me.choose(me.pair()) for _ in range(3)] == ["label"] * 3
        assert ann.choose(ann.pair()) == "label"
        page.until(f"nobody trains {run}")
        assert page.stop() == 130
        assert "boldly: stopped; 4 of 60 labels are kept (owner 3, ann 1), 8 pairs wait; this goes on:" in page.said
        assert f"  boldly label {run}" in page.said
    assert {label.source for label in labels(run)} == {"people:owner", "people:ann"}
    with only_serving(run) as page:
        assert page.stop(signal.SIGTERM) == 143
    assert len(labels(run)) == 4


def test_links_are_personal_stay_and_end(a_run: Callable[..., Path], capsys: pytest.CaptureFixture[str]):
    run = a_run()
    with only_serving(run, "--share", "ann,ben", "--share", "cleo") as page:
        first = page.links
        assert list(first) == ["owner", "ann", "ben", "cleo"]
        assert len({urlsplit(link).path for link in first.values()}) == 4
        page.until("these links work on this machine alone")
        ben = Person(first["ben"])
        assert ben.status("/api/dashboard") == 403
        assert Person(first["owner"]).status("/api/dashboard") == 200

        assert main(["label", str(run), "--revoke", "ben", "--share", "dora", "--name", "owner"]) == 0
        said = capsys.readouterr()
        assert "ben has no link any more" in said.err
        after = links_in(said.out)
        assert list(after) == ["owner", "ann", "cleo", "dora"]
        assert {after[name] for name in ("owner", "ann", "cleo")} <= set(first.values())
        assert ben.status("/api/state") in (401, 403)
        assert refused(first["ben"]) == 403
        assert Person(after["dora"]).pair()
    with only_serving(run, "--share", "ben") as page:
        assert [urlsplit(page.links[name]).path for name in after] == [urlsplit(link).path for link in after.values()]
        assert refused(page.links["ben"]) == 200
        assert urlsplit(page.links["ben"]).path != urlsplit(first["ben"]).path


@pytest.mark.slow
def test_a_second_page_is_served_where_it_is_asked_for(a_run: Callable[..., Path], capsys: pytest.CaptureFixture[str]):
    run = a_run()
    with only_serving(run) as page:
        base = page.links["owner"].split("/in/")[0]
        assert main(["label", str(run)]) == 2
        assert f"has its page at {base}, served by process {page.process.pid} on" in capsys.readouterr().err
        with only_serving(run, "--port", str(free_port())) as other:
            ours, theirs = Person(page.links["owner"]).pair(), Person(other.links["owner"]).pair()
            assert ours["prompt"]
            assert theirs["prompt"]
            assert other.stop() == 130
        assert Person(page.links["owner"]).pair()


def test_on_every_network_links_name_the_machine_and_nobody_comes_without(a_run: Callable[..., Path]):
    run = a_run()
    with only_serving(run, "--host", "0.0.0.0") as page:
        at = urlsplit(page.links["owner"])
        assert at.hostname not in ("0.0.0.0", "127.0.0.1", "localhost")
        assert Person(page.links["owner"]).pair()
        assert refused(f"http://127.0.0.1:{at.port}/") == 401
        page.until("whoever comes without a personal link is refused")
        page.until("go over http")
        assert page.stop() == 130
        assert f"boldly label {run} --host 0.0.0.0" in page.said


def test_links_name_the_proxy_in_front(a_run: Callable[..., Path]):
    with only_serving(a_run(), "--url", "https://label.example.org/", "--port", str(port := free_port())) as page:
        link = page.links["owner"]
        assert link.startswith("https://label.example.org/in/")
        page.until("pass the header `Host` on")
        local = f"http://127.0.0.1:{port}{urlsplit(link).path}"
        assert status_as("label.example.org", local) == 200
        assert status_as("another.example.org", local) == 400


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--port", "70000"], "70000"),
        (["--host", "192.0.2.77"], "--host"),
        (["--url", "label.example.org"], "write `--url https://label.example.org`"),
        (["--url", "https://label.example.org/there"], "without a path"),
        (["--name", " "], "is no name"),
        (["--share", "ann,,ben"], "is no name"),
        (["--share", "owner", "--name", "owner"], "owner is your own name"),
        (["--revoke", "nobody"], "nobody"),
        (["--config", "run.yaml"], "has its configuration"),
    ],
)
def test_what_can_not_work_is_refused(
    words: list[str], expected: str, a_run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
):
    assert main(["label", str(a_run()), "--no-train", *words]) == 2
    assert expected in capsys.readouterr().err


def test_nobody_becomes_the_owner_by_a_name_that_has_a_link(
    a_run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
):
    run = a_run()
    with closing(SqlLedger(run / "ledger.sqlite", exclusive=False)) as ledger:
        desk = Desk(ledger, rules(run))
        desk.admit("owner", owner=True)
        desk.admit("ann")
    assert main(["label", str(run), "--no-train", "--name", "ann"]) == 2
    assert "ann has a link of this run, and would see the dashboard with it" in capsys.readouterr().err
    for flag in ("--share", "--revoke"):
        assert main(["label", str(run), "--no-train", "--name", "zoe", flag, "owner"]) == 2
        assert "owner is who runs this" in capsys.readouterr().err


def test_another_login_is_no_second_owner(a_run: Callable[..., Path]):
    run = a_run()
    with closing(SqlLedger(run / "ledger.sqlite", exclusive=False)) as ledger:
        Desk(ledger, rules(run)).admit("first", owner=True)
    with only_serving(run, "--share", "ann") as page:
        assert list(page.links) == ["first", "ann"]


def test_a_run_that_others_label_is_refused(
    a_run: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = a_run(**{"oracle": "program", "oracle.function": "boldly.data.task:reward"})
    assert main(["label", str(run)]) == 2
    assert "boldly label" in (said := capsys.readouterr().err)
    assert "program" in said
    assert main(["label", str(tmp_path / "new"), "--no-train"]) == 2
    assert "is no run yet, and `--no-train` makes none" in capsys.readouterr().err
    assert main(["label", str(tmp_path / "new"), "--revoke", "ann"]) == 2
    assert "is no run yet, so nobody has a link to it" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_what_another_process_trains_is_only_served(a_run: Callable[..., Path], capsys: pytest.CaptureFixture[str]):
    run = a_run()
    with closing(SqlLedger(run / "ledger.sqlite")):
        with label(str(run), folder=run.parent) as page:
            page.until(f"process {os.getpid()} on {socket.gethostname()} trains {run}; this page only serves it")
            me = Person(page.links["owner"])
            assert me.choose(me.pair()) == "label"
            assert page.stop() == 130
        assert main(["label", str(run), "--budget", "90"]) == 2
        assert "under the configuration it has: leave the keys away" in capsys.readouterr().err
    assert len(labels(run)) == 1
    assert not (run / "train.log").exists()


def test_a_run_that_is_done_says_where_model_and_report_are(a_run: Callable[..., Path]):
    run = a_run()
    (run / "result.json").write_text(json.dumps({"budget": 60, "labels": 60}))
    with label(str(run), folder=run.parent) as page:
        page.until(f"the run is done: 60 of 60 labels. The model is in {run}/model, and what each label bought in")
        page.until(f"`boldly label {run} --budget N`")
        assert Person(page.links["owner"]).get("/api/state")["state"]["phase"] == "ended"
        assert page.stop() == 130
    assert not (run / "train.log").exists()


def test_ten_pairs_are_kept_through_ctrl_c_and_teach_the_model(tmp_path: Path):
    """The newcomer's way: one command, ten pairs, Ctrl-C, the same command again."""
    run = tmp_path / "people"
    with label("people", *SMALL, folder=tmp_path) as page:
        me = Person(page.links["owner"])
        assert [me.choose(me.pair()) for _ in range(10)] == ["label"] * 10
        assert page.stop() == 130
        assert "10 of 60 labels are kept (owner 10)" in page.said
        assert not is_held(run / "ledger.sqlite.lock")
    told = labels(run)
    assert len(told) == 10
    with label("people", folder=tmp_path) as page:
        page.until("iterate 2, after 10 labels: held-out reward")
        assert labels(run) == told
        assert Person(page.links["owner"]).get("/api/state")["state"]["mine"] == 10
        assert page.stop() == 130
    metrics = (run / "metrics.jsonl").read_text()
    rewards = [json.loads(line)["evaluation"]["reward"]["value"] for line in metrics.splitlines()]
    assert len(rewards) == 3
    assert rewards[2] > rewards[0]


@pytest.mark.slow
def test_what_the_training_can_not_begin_with_ends_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    """The child refuses its model; nothing is left of a run that never began."""
    run = tmp_path / "people"
    assert main(["label", str(run), "--model", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_page_that_is_killed_loses_nothing_and_takes_its_training_along(tmp_path: Path):
    run = tmp_path / "people"
    with label("people", *SMALL, folder=tmp_path) as page:
        me = Person(page.links["owner"])
        assert [me.choose(me.pair()) for _ in range(3)] == ["label"] * 3
        page.process.kill()
        wait_until(lambda: not is_held(run / "ledger.sqlite.lock"), 60, lambda: "the training goes on without its page")
    told = labels(run)
    assert len(told) == 3
    with label("people", folder=tmp_path) as page:
        me = Person(page.links["owner"])
        assert [me.choose(me.pair()) for _ in range(2)] == ["label"] * 2
        page.until("iterate 1, after 5 labels")
        assert page.stop() == 130
    assert labels(run)[:3] == told


@pytest.mark.slow
def test_a_page_goes_on_without_a_training_that_is_killed(tmp_path: Path):
    run = tmp_path / "people"
    with label("people", *SMALL, folder=tmp_path) as page:
        me = Person(page.links["owner"])
        assert me.choose(me.pair()) == "label"
        os.kill(json.loads((run / "ledger.sqlite.lock").read_text())["pid"], signal.SIGKILL)
        page.until("the training was killed (SIGKILL, as where memory runs out), and the page goes on without it")
        assert me.choose(me.pair()) == "label"
        wait_until(
            lambda: me.get("/api/state")["state"]["phase"] == "stopped",
            30,
            lambda: "the page doesn't say that it stopped",
        )
        assert page.stop() == 130
    with label("people", folder=tmp_path) as page:
        me = Person(page.links["owner"])
        assert [me.choose(me.pair()) for _ in range(3)] == ["label"] * 3
        page.until("iterate 1, after 5 labels")
        assert page.stop() == 130
    assert len(labels(run)) == 5


@pytest.mark.slow
def test_a_budget_that_is_reached_leaves_a_model_and_more_may_be_asked_for(tmp_path: Path):
    run = tmp_path / "people"
    with label("people", *SMALL, "--budget", "10", folder=tmp_path) as page:
        me = Person(page.links["owner"])
        assert [me.choose(me.pair()) for _ in range(10)] == ["label"] * 10
        page.until("the run is done: 10 of 10 labels")
        assert me.get("/api/pair")["pair"] is None
        assert me.get("/api/state")["state"]["phase"] == "ended"
        assert (run / "model" / "config.json").is_file()
        assert (run / "report.html").is_file()
        assert page.stop() == 130
    with label("people", "--budget", "15", folder=tmp_path) as page:
        me = Person(page.links["owner"])
        assert [me.choose(me.pair()) for _ in range(5)] == ["label"] * 5
        page.until("the run is done: 15 of 15 labels")
        assert page.stop() == 130


@pytest.mark.slow
def test_a_page_takes_the_training_over_when_who_did_it_is_gone(tmp_path: Path):
    """Three people on one run, one page beside the other: the second trains when the first is stopped."""
    run = tmp_path / "people"
    with (
        label("people", *SMALL, "--share", "ann,ben", folder=tmp_path) as first,
        label("people", "--port", str(free_port()), folder=tmp_path) as second,
    ):
        team = [Person(first.links["owner"]), Person(first.links["ann"]), Person(second.links["ben"])]
        assert [one.choose(one.pair()) for one in team] == ["label"] * 3
        assert first.stop() == 130
        second.until(f"preparing the model of {run.name}")
        both = [Person(second.links["owner"]), Person(second.links["ann"])]  # what was on their pages still is
        assert [one.choose(one.pair()) for one in both] == ["label"] * 2
        second.until("iterate 1, after 5 labels")
        assert second.stop() == 130
    told = sorted(label.source for label in labels(run))
    assert told == [*["people:ann"] * 2, "people:ben", *["people:owner"] * 2]


@pytest.mark.slow
def test_several_pages_serve_one_run_on_postgresql(tmp_path: Path, url: str):
    with label("people", *SMALL, "--ledger", url, "--share", "ann", folder=tmp_path) as first:
        words = ["people", "--no-train", "--port", str(free_port())]
        with label(*words, folder=tmp_path) as second:
            assert [urlsplit(link).path for link in second.links.values()] == [
                urlsplit(link).path for link in first.links.values()
            ]
            me, ann = Person(first.links["owner"]), Person(second.links["ann"])
            mine, hers = me.pair(), ann.pair()
            assert (mine["prompt"], mine["left"]) != (hers["prompt"], hers["left"])
            assert [me.choose(mine), ann.choose(hers)] == ["label"] * 2
            assert [one.choose(one.pair()) for one in (me, ann, me)] == ["label"] * 3
            first.until("iterate 1, after 5 labels")
            assert second.stop() == first.stop() == 130
    with closing(SqlLedger(url, read_only=True)) as ledger:
        assert sorted(label.source for label in ledger.labels()) == [*["people:ann"] * 2, *["people:owner"] * 3]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def status_as(name: str, url: str) -> int:
    """The status of a request that names another host."""
    import http.client

    at = urlsplit(url)
    connection = http.client.HTTPConnection(str(at.hostname), at.port, timeout=30)
    try:
        connection.request("GET", at.path, headers={"Host": name})
        return connection.getresponse().status
    finally:
        connection.close()
