"""`boldly compare` as whoever types it sees it: real processes, people on its page, and its figures."""

import http.client
import json
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from boldly.cli import main
from boldly.cli.comparison_view import drawn_answers, figures, require_comparison
from boldly.config.comparing import save_comparison
from boldly.config.schema import Part
from boldly.data import base_directory, heldout_prompts
from boldly.data.task import reward
from boldly.ledger.sql import SqlLedger
from boldly.metrics.answers import side_of
from boldly.types import Query
from tests.support.label_command import COMMAND, Person, label, links_in

MODELS = ("nets/alphanet", "nets/betanet")
LABELS = 16


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models and the comparison `c` of them, whose answers are drawn."""
    folder = tmp_path_factory.mktemp("drawn")
    shutil.copytree(base_directory(), folder / MODELS[0])
    shutil.copytree(base_directory("rare"), folder / MODELS[1])
    (folder / "prompts.txt").write_text("\n".join(prompt.text for prompt in heldout_prompts()[:LABELS]) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        words = ["--prompts", "prompts.txt", "--max-tokens", "24", "-o", "c", "--no-serve"]
        assert main(["compare", *MODELS, *words]) == 3
    return folder


@pytest.fixture
def folder(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which is where commands are given."""
    copy = Path(shutil.copytree(drawn, tmp_path / "here"))
    monkeypatch.chdir(copy)
    return copy


def better(query: Query) -> float | None:
    """How far the first model's answer is better, as the bundled task rewards them."""
    a, b = reward(query.prompt, query.a), reward(query.prompt, query.b)
    p = 0.5 if a == b else float(a > b)
    return p if side_of(query.a.origin) == "a" else 1.0 - p


def asked(folder: Path) -> tuple[Query, ...]:
    with closing(SqlLedger(folder / "c" / "ledger.sqlite", read_only=True)) as ledger:
        return ledger.queries(0, "evaluation")


def test_people_compare_them_stop_and_go_on_to_the_end(folder: Path, capsys: pytest.CaptureFixture[str]):
    before = (folder / "c" / "answers.jsonl").read_bytes()
    pairs = len(asked(folder))
    assert pairs > 4
    with label(*MODELS, "-o", "c", "--share", "ann", "--name", "me", folder=folder, command="compare") as page:
        assert list(page.links) == ["me", "ann"]
        me, ann = (Person(link) for link in page.links.values())
        assert me.get("/api/state")["state"]["message"] == f"{pairs} pairs are left to compare"
        assert [me.choose(me.pair()), me.choose(me.pair()), ann.choose(ann.pair())] == ["label"] * 3
        assert me.get("/api/state")["state"]["labels"] == 3
        assert me.get("/api/dashboard")["people"][0]["name"] == "me"
        assert main(["compare", *MODELS, "-o", "c", "--name", "me", "--share", "ben"]) == 0
        assert [*links_in(capsys.readouterr().out)] == ["me", "ann", "ben"]
        assert main(["compare", *MODELS, "-o", "c", "--name", "me"]) == 2
        assert "c has its page at http://127.0.0.1" in capsys.readouterr().err
        assert page.stop() == 130
        assert "boldly: stopped; every label is kept, and this goes on:\n  boldly compare nets/alphanet" in page.said
        assert f"judged      3 of {pairs} pairs" in page.out.read_text()
    with label(*MODELS, "-o", "c", "--name", "me", "--revoke", "ann,ben", folder=folder, command="compare") as page:
        assert list(page.links) == ["me"], "what was on the page of ann goes to others"
        me = Person(page.links["me"])
        for left in range(pairs - 3, 0, -1):
            assert me.get("/api/state")["state"]["waiting"] == left
            assert me.choose(me.pair()) == "label"
        assert me.get("/api/state")["state"]["phase"] in ("labelling", "ended")
        assert page.process.wait(60) == 0
        told = page.out.read_text()
    assert f"judged      {pairs} of {pairs} pairs" in told
    assert (folder / "c" / "answers.jsonl").read_bytes() == before
    config = require_comparison(Path("c"))
    found = figures(Path("c"), config)
    truth = [better(query) for query in asked(folder)]
    assert (found.won, found.lost, found.ties) == (truth.count(1.0), truth.count(0.0), truth.count(0.5))
    assert found.identical == LABELS - pairs
    assert found.win_rate is not None
    assert found.win_rate.value == pytest.approx(
        (sum(p for p in truth if p is not None) + 0.5 * found.identical) / LABELS
    )
    assert main(["verify", "c"]) == 0


def test_nothing_on_the_page_tells_which_model_wrote_what(folder: Path):
    """Names, origins, places and numbers of the models are in no request; nor does the order of requests tell."""
    with label(*MODELS, "-o", "c", "--name", "me", folder=folder, command="compare") as page:
        me = Person(page.links["me"])
        said = [json.dumps(me.get("/api/state"))]
        lefts: list[str] = []
        for _ in range(len(asked(folder)) - 1):
            pair = me.pair()
            said.append(json.dumps(pair))
            lefts.append("".join(text for text, _ in pair["left"]["raw"]))
            me.choose(pair)
        said.append(page_of(me))
    everything = "\n".join(said)
    for word in ("alphanet", "betanet", "nets", "origin", "evaluation", "log_prob", "bundled", "a:", "b:"):
        assert word not in everything, word
    a, _ = drawn_answers(Path("c"), require_comparison(Path("c")))
    on_the_left = sum(left in {one.text for one in a} for left in lefts)
    assert 0 < on_the_left < len(lefts)


def page_of(person: Person) -> str:
    at = urlsplit(person.link)
    connection = http.client.HTTPConnection(str(at.hostname), at.port, timeout=30)
    try:
        connection.request("GET", "/", headers={"Cookie": person.cookie})
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_two_people_judge_each_pair(folder: Path):
    people = Part.model_validate({"name": "people", "overlap": 2})
    save_comparison(Path("c"), require_comparison(Path("c")).model_copy(update={"oracle": people}))
    with label(*MODELS, "-o", "c", "--share", "ann", "--name", "me", folder=folder, command="compare") as page:
        me, ann = (Person(link) for link in page.links.values())
        first = me.pair()
        assert me.choose(first) == "vote"
        other = ann.pair()
        assert other["prompt"] == first["prompt"]
        assert ann.choose(other) == "label"
        assert page.stop() == 130
        told = page.out.read_text()
    assert f"judged      1 of {len(asked(folder))} pairs, each by 2 people" in told
    assert "agreement   1.00" in told


def test_a_late_answer_to_a_judged_pair_takes_none_from_the_others(folder: Path):
    """Ann's pair is judged by somebody else while she thinks, and then by her too: every pair is still given."""
    people = Part.model_validate({"name": "people", "lease_seconds": 2.0})
    save_comparison(Path("c"), require_comparison(Path("c")).model_copy(update={"oracle": people}))
    pairs = len(asked(folder))
    with label(*MODELS, "-o", "c", "--share", "ann", "--name", "me", folder=folder, command="compare") as page:
        me, ann = (Person(link) for link in page.links.values())
        slow, given = ann.pair(), dict[str, Any]()
        while given.get("prompt") != slow["prompt"]:
            given = me.pair()
            assert me.choose(given) == "label"
        assert ann.choose(slow) == "surplus"
        while me.get("/api/state")["state"]["waiting"]:
            assert me.choose(me.pair()) == "label"
        assert page.process.wait(60) == 0
        told = page.out.read_text()
    assert f"judged      {pairs} of {pairs} pairs" in told
    assert main(["verify", "c"]) == 0


@pytest.mark.slow
def test_an_oracle_in_place_of_people(folder: Path, capsys: pytest.CaptureFixture[str]):
    Path("longer.py").write_text("def prefer(prompt, a, b):\n    return len(a.text) > len(b.text)\n")
    words = ["--prompts", "prompts.txt", "--max-tokens", "24", "-o", "judged"]
    oracle = ["--oracle.name", "program", "--oracle.function", "longer.py:prefer"]
    assert main(["compare", *MODELS, *words, *oracle, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["left"], found["oracle"]) == (0, "program")
    assert found["longer_won"]["value"] > 0.8
    assert main(["compare", "judged", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found
    assert main(["verify", "judged"]) == 0
    assert main(["compare", "judged"]) == 0
    assert "by program" in capsys.readouterr().out


@pytest.mark.slow
def test_ctrl_c_while_answers_are_drawn_keeps_those_that_are(folder: Path):
    """Every prompt once more than a chunk holds, so that one chunk is kept when it is stopped."""
    words = [*COMMAND, "compare", "bundled", "bundled-rare", "--no-serve", "-o", "stopped"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = ""
    while "has answered" not in said:
        said += process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the answers that were drawn are kept, and this goes on:\n  boldly compare bundled bundled-rare" in rest
    kept = (folder / "stopped" / "answers.jsonl").read_bytes()
    assert kept
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert (folder / "stopped" / "answers.jsonl").read_bytes().startswith(kept)


def test_showing_loads_nothing_heavy(folder: Path):
    program = (
        "import sys\nfrom boldly.cli import main\ncode = main(['compare', 'c'])\n"
        "print(code, *sorted({'torch', 'transformers', 'peft', 'fastapi', 'uvicorn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nowhere"], "nowhere holds no comparison"),
        (["c", "--share", "zed"], "write the rest behind `boldly compare nets/alphanet nets/betanet --output c`"),
        (["c", "--labels", "3"], "c alone shows what was found"),
        ([*MODELS, "-o", "c", "--seed", "3", "--no-serve"], "`seed` was 0 when c was begun"),
        (["nets/betanet", "nets/alphanet", "-o", "c", "--no-serve"], "c compares nets/alphanet with nets/betanet"),
        ([*MODELS, "-o", "c", "--budget", "3"], "--budget: is no option of `boldly compare`"),
        ([*MODELS, "extra"], "`extra` is no flag"),
        (["no/such/model", "bundled", "--no-serve"], "there is no model no/such/model"),
        pytest.param(
            ["nets/alphanet", "nets", "-o", "d", "--prompts", "prompts.txt", "--no-serve"],
            "has no config.json",
            marks=pytest.mark.slow,
        ),
        ([*MODELS, "--no-serve", "-o", "d"], "write `--prompts FILE`"),
        ([*MODELS, "-o", "c", "--url", "ftp://x"], "is not how an address begins"),
    ],
)
def test_what_can_t_work(folder: Path, words: list[str], expected: str, capsys: pytest.CaptureFixture[str]):
    assert main(["compare", *words]) == 2
    assert expected in capsys.readouterr().err


def test_what_was_begun_by_people_is_shown_at_any_time(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["compare", "c"]) == 0
    told, said = capsys.readouterr()
    assert "serves their page:\n  boldly compare nets/alphanet nets/betanet --output c" in said
    assert "judged      0 of" in told
    assert "not known, as nobody has said" in told
    assert main(["compare", *MODELS, "-o", "c", "--no-serve"]) == 3
    assert "pairs wait for people" in capsys.readouterr().err
