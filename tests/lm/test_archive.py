"""The archive gives back what was kept, to the last bit, whatever was killed or damaged in between."""

import json
import logging
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from boldly.errors import BoldlyError, StorageError
from boldly.lm import checkpoint
from boldly.lm.adapter import Adapter
from boldly.lm.archive import DiskArchive, fingerprint
from boldly.lm.learners.descent import Descent
from boldly.lm.load import load
from boldly.lm.model import Generation
from boldly.lm.policy import LMPolicy
from boldly.loop import Archive
from boldly.objectives import Loss
from boldly.types import Candidates, Message, Prompt, Response

GENERATION = Generation(max_tokens=8)
LORA = Adapter(rank=2, alpha=4.0)
PROMPTS = (Prompt("2 + 2 ="), Prompt((Message("user", "héllo \ud83d"),), {"answer": 4, "of": [1, {"a": None}]}))
RESPONSES = (
    Response("ab", (70, 71, 2), "iterate-0", -0.1 - 1e-17, math.nextafter(-0.3, 0), True),
    Response("\ud800\u2028\n", (9,), "mixed", -math.inf, -1e-300, False),
)
CANDIDATES = [Candidates(prompt, RESPONSES) for prompt in PROMPTS]

Start = Callable[..., tuple[LMPolicy, DiskArchive]]


def begin(directory: Path, root: Path, adapter: Adapter | None) -> tuple[LMPolicy, DiskArchive]:
    """A policy as a run loads it, and the archive of its run."""
    lm = load(directory, adapter=adapter, device="cpu")
    policy = LMPolicy("iterate-0", lm, GENERATION)
    return policy, DiskArchive(root, policy)


@pytest.fixture(params=[None, LORA], ids=["full", "adapter"])
def start(request: pytest.FixtureRequest, tiny_model: Callable[..., Path], tmp_path: Path) -> Start:
    """A policy and its archive, as every start of the run makes them anew."""

    def make(root: Path = tmp_path / "iterates", kind: str = "llama-tied") -> tuple[LMPolicy, DiskArchive]:
        return begin(tiny_model(kind, vocabulary=264), root, request.param)

    return make


def learn(policy: LMPolicy, t: int) -> LMPolicy:
    """The live weights moved by a random step."""
    generator = torch.Generator().manual_seed(t)
    with torch.no_grad():
        for parameter in policy.lm.module.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return policy.renamed(f"iterate-{t}")


def state_of(t: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(100 + t)
    return {"a/exp_avg": torch.randn(3, 2, generator=generator).T, "a/step": torch.tensor(float(t))}


def keep(archive: DiskArchive, policy: LMPolicy, t: int, candidates: Sequence[Candidates] = ()) -> None:
    archive.keep(policy, state=state_of(t), candidates=candidates, facts={"labels": 4 * t})


def scores(policy: Any) -> torch.Tensor:
    plain = Response("ab", (70, 71, 2), "x", 0.0, 0.0)
    return policy.log_probs([PROMPTS[0]], [plain])


def weights(policy: LMPolicy) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in policy.lm.module.named_parameters()}


def assert_same_bits(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert set(one) == set(other)
    for name, tensor in one.items():
        assert tensor.dtype == other[name].dtype
        assert torch.equal(tensor, other[name]), name


def filled(start: Start, count: int, **options: Any) -> tuple[LMPolicy, DiskArchive, list[torch.Tensor]]:
    """A run of `count` rounds, with the scores of every iterate as it was when it was kept."""
    policy, archive = start(**options)
    seen = [scores(policy)]
    for t in range(1, count + 1):
        policy = learn(policy, t)
        keep(archive, policy, t)
        seen.append(scores(policy))
    return policy, archive, seen


def test_it_is_an_archive(start: Start):
    assert isinstance(start()[1], Archive)


@pytest.mark.parametrize("kind", ["llama", "llama-tied", "qwen2", "gpt2", "gemma2"])
def test_every_iterate_is_as_it_was_kept(start: Start, kind: str):
    _, archive, seen = filled(start, 3, kind=kind)
    assert len(archive) == 4
    assert len({float(score) for score in seen}) == 4
    _, again = start(kind=kind)
    for store in (archive, again):
        for t in (3, 0, 1, 2):
            assert store[t].name == f"iterate-{t}"
            assert store[t].frozen
            assert torch.equal(scores(store[t]), seen[t])
    for t in (-1, 4):
        with pytest.raises(IndexError):
            archive[t]


def test_frozen_iterates_do_not_follow_the_live_policy(start: Start):
    policy, archive, seen = filled(start, 1)
    frozen = [archive[0], archive[1]]
    learn(policy, 2)
    for t in range(2):
        assert torch.equal(scores(frozen[t]), seen[t])


def test_iterates_average(start: Start):
    """The mean of two iterates lies between them, computed here from the files' own policies."""
    _, archive, _ = filled(start, 2)
    assert torch.equal(scores(archive[1].average(archive[2], 0.0, "m")), scores(archive[1]))
    assert torch.equal(scores(archive[0].average(archive[2], 1.0, "m")), scores(archive[2]))


def test_nothing_is_printed(start: Start, capfd: pytest.CaptureFixture[str]):
    _, archive, _ = filled(start, 1)
    archive[1]
    archive.restore()
    assert capfd.readouterr() == ("", "")


def test_restoring_is_exact_to_the_bit(start: Start):
    policy, _, _ = filled(start, 3)
    again, archive = start()
    number, state = archive.restore()
    assert number == 3
    assert_same_bits(weights(again), weights(policy))
    assert_same_bits(state, state_of(3))
    trainable = {name for name, p in policy.lm.module.named_parameters() if p.requires_grad}
    assert {name for name, p in again.lm.module.named_parameters() if p.requires_grad} == trainable
    assert torch.equal(scores(archive[0]), scores(start(root=Path("nowhere"))[0]))


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
@pytest.mark.parametrize("adapter", [None, LORA])
def test_other_dtypes_are_exact_too(
    tiny_model: Callable[..., Path], tmp_path: Path, dtype: Any, adapter: Adapter | None
):
    def fresh() -> tuple[LMPolicy, DiskArchive]:
        lm = load(tiny_model(), adapter=adapter, dtype=dtype, device="cpu")
        policy = LMPolicy("iterate-0", lm, GENERATION)
        return policy, DiskArchive(tmp_path, policy)

    policy, archive = fresh()
    keep(archive, learn(policy, 1), 1)
    again, archive = fresh()
    archive.restore()
    assert_same_bits(weights(again), weights(policy))
    assert torch.equal(scores(archive[1]), scores(policy))


def test_training_goes_on_as_if_never_stopped(start: Start):
    """Three steps of AdamW, a stop, three steps: the bits of six steps without a stop."""

    def train(policy: LMPolicy, descent: Descent) -> None:
        def losses(batch_tokens: int) -> Iterator[Loss]:
            logits = policy.lm.module(input_ids=torch.tensor([[7, 9, 30, 41]])).logits
            loss = logits.log_softmax(-1)[0, -1, 5] ** 2
            yield Loss(loss, loss, torch.zeros(()))

        for _ in range(3):
            assert descent.step(policy.lm.module, losses, (0,)).taken

    policy, archive = start()
    descent = Descent(learning_rate=0.01)
    train(policy, descent)
    archive.keep(policy.renamed("iterate-1"), state=descent.state(), candidates=(), facts={})
    train(policy, descent)

    resumed, archive = start()
    again = Descent(learning_rate=0.01)
    _, state = archive.restore()
    again.restore(state)
    train(resumed, again)
    assert_same_bits(weights(resumed), weights(policy))
    assert_same_bits(dict(again.state()), dict(descent.state()))


def test_a_run_that_has_just_begun(start: Start, tmp_path: Path):
    policy, archive = start()
    before = weights(policy)
    assert archive.restore() == (0, {})
    assert len(archive) == 1
    assert_same_bits(weights(policy), before)
    assert not (tmp_path / "iterates").exists()


def test_making_an_archive_changes_nothing_on_disk(start: Start, tmp_path: Path):
    filled(start, 2)
    root = tmp_path / "iterates"
    (root / ("0003.tmp-" + "0" * 32)).mkdir()
    (root / "0002" / "config.json").unlink(missing_ok=True)
    (root / "0002" / "adapter_config.json").unlink(missing_ok=True)
    before = sorted(path.as_posix() for path in root.rglob("*"))
    start()
    assert sorted(path.as_posix() for path in root.rglob("*")) == before


def test_only_the_newest_two_keep_the_learners_state(start: Start, tmp_path: Path):
    filled(start, 4)
    root = tmp_path / "iterates"
    assert [t for t in range(1, 5) if (root / f"{t:04d}" / "learner.safetensors").exists()] == [3, 4]
    for t in range(1, 5):
        checkpoint.verify(root / f"{t:04d}")


def test_candidates_and_facts_are_exact(start: Start):
    policy, archive = start()
    keep(archive, learn(policy, 1), 1, CANDIDATES)
    keep(archive, learn(policy, 2), 2)
    _, again = start()
    for store in (archive, again):
        assert store.candidates(0) == CANDIDATES
        assert [c.prompt.id for c in store.candidates(0)] == [c.prompt.id for c in CANDIDATES]
        assert [r.id for c in store.candidates(0) for r in c.responses] == [r.id for r in RESPONSES] * 2
        assert store.candidates(1) == []
    assert again.manifest(1).facts["facts"] == {"labels": 4}


def test_the_files_are_for_hugging_face_tools(start: Start, tmp_path: Path):
    policy, _, _ = filled(start, 1)
    names = set(os.listdir(tmp_path / "iterates" / "0001"))
    expected = (
        {"adapter_model.safetensors", "adapter_config.json"}
        if policy.lm.adapter
        else {"model.safetensors", "config.json"}
    )
    common = {"tokenizer.json", "tokenizer_config.json", "manifest.json", "learner.safetensors", "candidates.jsonl"}
    assert expected | common <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl"))]


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "flip":
        content[len(content) // 2] ^= 16
    path.write_bytes(content[: len(content) // 2] if how == "cut" else content)
    if how == "gone":
        path.unlink()


@pytest.mark.parametrize(
    ("file", "how"),
    [
        ("weights", "flip"),
        ("weights", "cut"),
        ("weights", "gone"),
        ("learner.safetensors", "flip"),
        ("candidates.jsonl", "cut"),
        ("manifest.json", "flip"),
        ("manifest.json", "gone"),
    ],
)
def test_a_damaged_newest_iterate_is_passed_over(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture, file: str, how: str
):
    policy, archive, seen = filled(start, 3)
    name = "adapter_model.safetensors" if policy.lm.adapter else "model.safetensors"
    keep(archive, learn(policy, 4), 4, CANDIDATES)
    damage(tmp_path / "iterates" / "0004" / (name if file == "weights" else file), how)
    again, archive = start()
    assert "iterate 4 is passed over" in caplog.text
    assert len(archive) == 4
    number, state = archive.restore()
    assert number == 3
    assert_same_bits(state, state_of(3))
    assert torch.equal(scores(again), seen[3])
    keep(archive, learn(again, 4), 4)
    assert torch.equal(scores(start()[1][4]), scores(again))
    assert len(list((tmp_path / "iterates").glob("0004.damaged-*"))) == 1


def test_a_damaged_older_iterate_is_told_when_it_is_needed(start: Start, tmp_path: Path):
    filled(start, 3)
    damage(tmp_path / "iterates" / "0001" / "manifest.json", "flip")
    _, archive = start()
    assert archive.restore()[0] == 3
    with pytest.raises(StorageError, match="0001"):
        archive[1]


def test_a_learners_state_that_is_gone(start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    filled(start, 2)
    (tmp_path / "iterates" / "0002" / "learner.safetensors").unlink()
    assert start()[1].restore() == (2, {})
    assert "starts afresh" in caplog.text


def test_packages_that_changed_since_are_named(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Case 87 of the faults: both versions are told, and the run goes on."""
    filled(start, 1)
    assert start()[1].restore()[0] == 1
    assert caplog.text == ""
    now = checkpoint.software()
    monkeypatch.setattr("boldly.lm.archive.software", lambda: now | {"torch": "99.0"})
    assert start()[1].restore()[0] == 1
    assert f"was written with torch {now['torch']} (now 99.0): the run goes on" in caplog.text


def test_nothing_is_left_when_every_iterate_is_damaged(start: Start, tmp_path: Path):
    _, _, seen = filled(start, 2)
    for t in (1, 2):
        damage(tmp_path / "iterates" / f"{t:04d}" / "manifest.json", "cut")
    policy, archive = start()
    assert archive.restore() == (0, {})
    assert torch.equal(scores(policy), seen[0])
    assert len(archive) == 1


def test_another_base_is_refused(start: Start, tiny_model: Callable[..., Path], tmp_path: Path):
    policy, _, _ = filled(start, 1)
    other = tiny_model("llama-tied", vocabulary=264, seed=1)
    assert fingerprint(other) != fingerprint(policy.lm.directory)
    _, archive = begin(other, tmp_path / "iterates", LORA if policy.lm.adapter else None)
    with pytest.raises(StorageError, match="trained from other weights"):
        archive[1]
    with pytest.raises(StorageError, match="trained from other weights"):
        archive.restore()


def test_the_base_may_have_moved(start: Start, tmp_path: Path):
    policy, _, seen = filled(start, 1)
    moved = Path(shutil.copytree(policy.lm.directory, tmp_path / "moved"))
    shutil.move(tmp_path / "iterates", tmp_path / "elsewhere")
    _, archive = begin(moved, tmp_path / "elsewhere", LORA if policy.lm.adapter else None)
    assert torch.equal(scores(archive[1]), seen[1])


def test_an_adapter_of_another_shape_is_refused(tiny_model: Callable[..., Path], tmp_path: Path):
    policy, archive = begin(tiny_model(), tmp_path, LORA)
    keep(archive, learn(policy, 1), 1)
    for adapter in (Adapter(rank=3), Adapter(rank=2, targets=("q_proj",))):
        with pytest.raises(StorageError, match="another shape"):
            begin(tiny_model(), tmp_path, adapter)[1].restore()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_not_kept(start: Start, tmp_path: Path, value: float):
    policy, archive, _ = filled(start, 1)
    next(p for p in policy.lm.module.parameters() if p.requires_grad).data.view(-1)[0] = value
    with pytest.raises(BoldlyError, match="not finite"):
        keep(archive, policy.renamed("iterate-2"), 2)
    assert len(archive) == 2
    assert os.listdir(tmp_path / "iterates") == ["0001"]


def test_a_disk_that_will_be_full(start: Start, monkeypatch: pytest.MonkeyPatch):
    policy, archive, _ = filled(start, 1)
    size = archive.manifest(1).size
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda path: type("U", (), {"free": int(2.1 * size)}))
    with pytest.raises(StorageError, match="free some space"):
        keep(archive, learn(policy, 2), 2)
    assert len(archive) == 2


def test_memory_holds_a_few(start: Start, tmp_path: Path):
    policy, archive, seen = filled(start, 5)
    for t in range(6):
        assert torch.equal(scores(archive[t]), seen[t])
    assert len(archive._recent) == (5 if policy.lm.adapter else 2)
    assert archive[5] is archive[5]
    assert archive[0] is archive[0]


def test_a_generation_config_that_transformers_only_warns_of_is_kept(
    start: Start, tiny_model: Callable[..., Path], tmp_path: Path
):
    """Published ones set a temperature without sampling; a refusal would come after the labels were paid for."""
    directory = Path(shutil.copytree(tiny_model(), tmp_path / "base"))
    told = {"do_sample": False, "temperature": 0.6, "eos_token_id": [2, 4]}
    (directory / "generation_config.json").write_text(json.dumps(told))
    policy, archive = begin(directory, tmp_path / "iterates", None)
    keep(archive, learn(policy, 1), 1)
    kept = json.loads((tmp_path / "iterates" / "0001" / "generation_config.json").read_text())
    assert told.items() <= kept.items()


KILLER = """
import os, shutil, signal, sys
from pathlib import Path

import torch

torch.set_num_threads(1)
directory, base, kind = map(Path, sys.argv[1:4])
sys.path.insert(0, sys.argv[4])
from test_archive import CANDIDATES, LORA, DiskArchive, begin, keep, learn

EVENTS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir")
limit, seen, watching = 0, 0, False


def point():
    global seen
    seen += 1
    if seen == limit:
        os.kill(os.getpid(), signal.SIGKILL)


def hook(event, arguments):
    if watching and event in EVENTS and str(arguments[0]).startswith(str(directory)):
        point()


def around(function):
    def call(*arguments, **options):
        point()
        value = function(*arguments, **options)
        point()
        return value

    return call


sys.addaudithook(hook)
policy, _ = begin(base, directory / "start", LORA if kind.name == "adapter" else None)
while True:
    limit += 1
    root = directory / f"{limit:03d}"
    shutil.copytree(directory / "start", root)
    child = os.fork()
    if child == 0:
        archive = DiskArchive(root, policy)
        learned = learn(policy, archive.restore()[0] + 1)
        os.fsync, os.rename, os.unlink = around(os.fsync), around(os.rename), around(os.unlink)
        watching = True
        keep(archive, learned, 3, CANDIDATES)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status == 0:
        break
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
print(limit - 1)
"""


@pytest.mark.slow
def test_a_kill_at_every_point_of_keeping_loses_at_most_the_iterate_being_kept(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """SIGKILL before and after every fsync, rename and removal, and at every file opened, of the third `keep`."""
    caplog.set_level(logging.WARNING)
    policy, _, seen = filled(start, 2, root=tmp_path / "kills" / "start")
    kind = "adapter" if policy.lm.adapter else "full"
    done = subprocess.run(
        [sys.executable, "-c", KILLER, tmp_path / "kills", policy.lm.directory, kind, Path(__file__).parent],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kills = int(done.stdout)
    assert kills > 30
    expected = scores(learn(policy, 3))
    again, _ = start(root=tmp_path / "nowhere")
    outcomes = set()
    for limit in range(1, kills + 1):
        root = tmp_path / "kills" / f"{limit:03d}"
        number, state = DiskArchive(root, again).restore()
        outcomes.add(number)
        assert_same_bits(state, state_of(number))
        assert torch.equal(scores(again), seen[2] if number == 2 else expected)
        assert sorted(os.listdir(root)) == [f"{t:04d}" for t in range(1, number + 1)]
        learners = [t for t in range(1, number + 1) if (root / f"{t:04d}" / "learner.safetensors").exists()]
        assert learners == [number - 1, number]
    assert outcomes == {2, 3}
    assert "passed over" not in caplog.text, "a directory with its final name was not whole"
