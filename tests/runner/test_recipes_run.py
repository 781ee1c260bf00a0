"""Every recipe as it is written, run to the end of a small budget, and its method told from what the run recorded."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from math import log
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

import boldly
from boldly.config.layers import recipe_layer, recipe_names
from boldly.data import base_directory
from boldly.ledger import Iterate, Step
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.verify import audit
from boldly.metrics import read
from boldly.progress import Record, Result
from boldly.runner import RunDirectory
from boldly.types import Label, Prompt, Query, Response

ROUNDS, LABELS = 2, 8
SMALL = {
    "budget": ROUNDS * LABELS,
    "schedule": {"labels_per_round": LABELS},
    "evaluation": {"prompts": 8},
    "generation": {"max_tokens": 12},
}
SMALLER = {
    "default": {
        "schedule": {"labels_per_round": LABELS, "prompts_per_label": 1},
        "learner": {"warmup": LABELS},
        "hypotheses": {"steps": 20},
    }
}
"""What else a budget this small asks for: labels enough to learn from, and less of what only takes time."""


@dataclass(frozen=True)
class Ran:
    """What a run left behind, read back from its directory."""

    result: Result
    labels: tuple[Label, ...]
    queries: tuple[tuple[Query, ...], ...]
    steps: tuple[Step, ...]
    iterates: tuple[Iterate, ...]
    records: list[Record]

    @property
    def references(self) -> list[object]:
        """The name of each round's reference."""
        return [iterate.facts["reference"] for iterate in self.iterates]


def read_back(result: Result) -> Ran:
    run = RunDirectory(result.run)
    with closing(SqlLedger(run.ledger, read_only=True)) as ledger:
        return Ran(
            result,
            ledger.labels(),
            tuple(ledger.queries(t) for t in range(ROUNDS)),
            ledger.steps(),
            ledger.iterates(),
            list(read(run.metrics)),
        )


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ran]:
    """`ran(recipe)`: the recipe's small run, made once."""
    made: dict[str, Ran] = {}

    def make(recipe: str) -> Ran:
        if recipe not in made:
            output = tmp_path_factory.mktemp(recipe) / "run"
            made[recipe] = read_back(boldly.run(recipe=recipe, **(SMALL | SMALLER.get(recipe, {})), output=str(output)))
        return made[recipe]

    return make


def weights(run: Ran, t: int) -> dict[str, torch.Tensor]:
    return load_file(folder_of(run, t) / "model.safetensors")


def folder_of(run: Ran, t: int) -> Path:
    return RunDirectory(run.result.run).iterates / f"{t:04d}" if t else base_directory()


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def log_prob(folder: Path, prompt: Prompt, response: Response) -> float:
    """log pi(response | prompt) in nats by transformers alone."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    begun, said = tokenizer(prompt.text).input_ids, list(response.tokens)
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([begun + said])).logits[0, len(begun) - 1 : -1]
    return float(logits.log_softmax(-1)[range(len(said)), said].sum())


@pytest.mark.parametrize("recipe", recipe_names())
def test_a_recipe_runs_and_ends_with_a_model_its_labels_and_a_report(recipe: str, ran: Callable[[str], Ran]):
    run = ran(recipe)
    assert run.result.labels == len(run.labels) == ROUNDS * LABELS
    assert [len(queries) for queries in run.queries] == [LABELS] * ROUNDS
    assert [iterate.number for iterate in run.iterates] == [1, 2]
    assert [record.labels for record in run.records] == [0, LABELS, 2 * LABELS]
    model = AutoModelForCausalLM.from_pretrained(run.result.model)
    assert same(dict(model.named_parameters()), weights(run, run.result.best))
    report = run.result.report.read_text(encoding="utf-8")
    assert recipe in report
    assert f"{ROUNDS * LABELS}" in report


@pytest.mark.parametrize("recipe", recipe_names())
def test_a_recipe_takes_its_steps_on_the_labels_that_it_says(recipe: str, ran: Callable[[str], Ran]):
    run, learner = ran(recipe), recipe_layer(recipe).values["learner"]
    assert [(step.round, step.number) for step in run.steps] == [
        (t, i) for t in range(ROUNDS) for i in range(learner["steps"])
    ]
    assert all(step.taken for step in run.steps)
    assert [record.refused_steps for record in run.records] == [0] * (ROUNDS + 1)
    for first, second in ((0, 1), (1, 2)):
        assert not same(weights(run, first), weights(run, second))
    for t in range(ROUNDS):
        begin = t * LABELS if learner.get("history") == "newest" else 0
        consumed = {label for step in run.steps if step.round == t for label in step.labels}
        assert consumed == set(range(begin, (t + 1) * LABELS))


@pytest.mark.parametrize("recipe", recipe_names())
def test_the_reference_is_the_base_or_the_iterate_that_the_round_starts_from(recipe: str, ran: Callable[[str], Ran]):
    moves = recipe in ("iterative-dpo", "selm")
    assert ran(recipe).references == ["iterate-0", "iterate-1" if moves else "iterate-0"]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", recipe_names())
def test_a_recipe_runs_with_rounds_that_are_drawn_ahead(recipe: str, tmp_path: Path):
    """Rounds 0 and 1 are the base's; all else is as ever, and the ledger keeps its law."""
    keys = SMALL | SMALLER.get(recipe, {})
    schedule = {"schedule": keys["schedule"] | {"ahead": 1}, "budget": 3 * LABELS}
    run = boldly.run(recipe=recipe, **(keys | schedule), output=str(tmp_path / "run"))
    with closing(SqlLedger(RunDirectory(run.run).ledger, read_only=True)) as ledger:
        assert [kept.policy for kept in ledger.rounds()] == ["iterate-0", "iterate-0", "iterate-1"]
        origins = {said.origin for query in ledger.queries(2) for said in (query.a, query.b)}
        assert origins <= {"iterate-0", "iterate-1"}
        assert [iterate.labels for iterate in ledger.iterates()] == [LABELS, 2 * LABELS, 3 * LABELS]
    assert audit(RunDirectory(run.run).ledger).ok


def test_selm_is_its_algorithm_1(ran: Callable[[str], Ran]):
    """arXiv 2405.19332: in iteration t both responses, of which one is explored, come from the reference pi_t."""
    run = ran("selm")
    for t, queries in enumerate(run.queries):
        for query in queries:
            assert query.explore in (query.a, query.b)
            assert {query.a.origin, query.b.origin} == {f"iterate-{t}"} == {run.references[t]}
    query = run.queries[1][0]
    own, base = (log_prob(folder_of(run, t), query.prompt, query.explore) for t in (1, 0))
    assert query.explore.log_prob == pytest.approx(own, abs=1e-4)
    assert abs(own - base) > 1e-3, "the reference has not moved, so who drew the response can't be told"


def test_xpo_explores_what_the_base_says(ran: Callable[[str], Ran]):
    """arXiv 2405.21046, Algorithm 1: one response is the policy's, the other, explored one is the base model's."""
    for t, queries in enumerate(ran("xpo").queries):
        for query in queries:
            assert (query.a.origin, query.b.origin) == (f"iterate-{t}", "iterate-0")
            assert query.explore == query.b


def test_vpo_compares_the_policy_and_explores_what_the_base_says(ran: Callable[[str], Ran]):
    """In round 0 the policy is the base. The base's response stands in for one that is cut or the same."""
    run = ran("vpo")
    assert all(query.explore.origin == "iterate-0" for queries in run.queries for query in queries)
    pairs = [query for query in run.queries[1] if {query.a.origin, query.b.origin} == {"iterate-1"}]
    assert len(pairs) >= LABELS // 2
    assert all(query.explore not in (query.a, query.b) for query in pairs)


@pytest.mark.parametrize(("recipe", "moves"), [("selm", True), ("iterative-dpo", True), ("vpo", False)])
def test_the_first_step_of_a_round_begins_at_the_reference_where_that_moves(recipe: str, moves: bool, tmp_path: Path):
    """At pi = pi_ref the margin is 0, so the loss is log 2 whatever the labels say, and a bonus on the ratio is 0."""
    keys = SMALL | {"learner": {"steps": 1}, "evaluation": {"prompts": 8, "every": 2}}
    run = read_back(boldly.run(recipe=recipe, **keys, output=str(tmp_path / "run")))
    first, second = run.records[1:]
    for record in (first, second) if moves else (first,):
        assert record.preference_loss == pytest.approx(log(2), abs=1e-5)
        assert record.bonus == pytest.approx(0.0, abs=1e-7)
    assert moves or abs(second.preference_loss - log(2)) > 1e-4
