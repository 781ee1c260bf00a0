"""A checkpoint is there whole or not at all: damage is found, crashes leave litter only, a full disk loses nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boldly.errors import StorageError
from boldly.lm import checkpoint
from boldly.lm.checkpoint import MANIFEST, newest_complete, read, remove_litter, require_space, verify, writing

CONTENT = {"weights.safetensors": bytes(range(256)) * 40, "learner.safetensors": b"m" * 64, "deep/state.json": b"{}"}

CHILD = """
import os, signal, sys
from pathlib import Path
from boldly.lm.checkpoint import writing

limit, final = int(sys.argv[1]), Path(sys.argv[2])
seen = 0

def point():
    global seen
    seen += 1
    if seen == limit:
        os.kill(os.getpid(), signal.SIGKILL)

def watched(function):
    def call(*arguments, **options):
        point()
        value = function(*arguments, **options)
        point()
        return value
    return call

for name in ("fsync", "rename", "mkdir", "open", "close"):
    setattr(os, name, watched(getattr(os, name)))
Path.write_text, Path.write_bytes = watched(Path.write_text), watched(Path.write_bytes)

with writing(final, facts={"number": 2}) as folder:
    for name in ("a.bin", "b.bin"):
        (folder / name).write_bytes(name.encode() * 1000)
print(seen)
"""


def write(directory: Path, **facts: object) -> None:
    with writing(directory, facts=facts, droppable=frozenset({"learner.safetensors"})) as folder:
        for name, content in CONTENT.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)


def test_what_was_written_verifies(tmp_path: Path):
    write(tmp_path / "0001", labels=12)
    manifest = verify(tmp_path / "0001")
    assert manifest == read(tmp_path / "0001")
    assert set(manifest.files) == set(CONTENT)
    assert manifest.size == sum(map(len, CONTENT.values()))
    assert manifest.facts == {"labels": 12}
    assert {"torch", "transformers", "python"} <= set(manifest.software)
    assert sorted(os.listdir(tmp_path)) == ["0001"]


def is_unchanged(content: bytes, before: bytes) -> bool:
    """Whether two texts are the same JSON: a flip may fall on white space."""
    try:
        return json.loads(content) == json.loads(before)
    except ValueError:
        return False


@given(place=st.integers(0, 10**9), bit=st.integers(0, 7), name=st.sampled_from([*sorted(CONTENT), MANIFEST]))
@settings(max_examples=80)
def test_any_flipped_bit_is_found(tmp_path_factory: pytest.TempPathFactory, place: int, bit: int, name: str):
    directory = tmp_path_factory.mktemp("flip") / "0001"
    write(directory, labels=12)
    path = directory / name
    before, before_bytes = read(directory), path.read_bytes()
    content = bytearray(before_bytes)
    content[place % len(content)] ^= 1 << bit
    path.write_bytes(content)
    if name == MANIFEST and is_unchanged(content, before_bytes):
        assert verify(directory) == before
    else:
        with pytest.raises(StorageError, match=str(directory)):
            verify(directory)


@pytest.mark.parametrize("name", [*sorted(CONTENT), MANIFEST])
@pytest.mark.parametrize("cut", [0, 1, -1])
def test_truncation_is_found(tmp_path: Path, name: str, cut: int):
    directory = tmp_path / "0001"
    write(directory)
    path = directory / name
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(StorageError, match=str(directory)):
        verify(directory)


def test_missing_files(tmp_path: Path):
    directory = tmp_path / "0001"
    write(directory)
    (directory / "learner.safetensors").unlink()
    verify(directory)
    (directory / "weights.safetensors").unlink()
    with pytest.raises(StorageError, match="missing"):
        verify(directory)
    (directory / MANIFEST).unlink()
    with pytest.raises(StorageError, match="not whole"):
        verify(directory)


def test_a_newer_format_is_not_guessed_at(tmp_path: Path):
    write(tmp_path / "0001")
    path = tmp_path / "0001" / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": checkpoint.FORMAT + 1}))
    with pytest.raises(StorageError, match="newer boldly"):
        read(tmp_path / "0001")


def test_the_newest_complete_one(tmp_path: Path):
    assert newest_complete(tmp_path / "nowhere") == (None, {})
    for number in (1, 2, 9, 10):
        write(tmp_path / f"{number:04d}")
    (tmp_path / "0010" / "weights.safetensors").unlink()
    (tmp_path / "0009" / "weights.safetensors").write_bytes(b"")
    (tmp_path / "0011.damaged-1").mkdir()
    number, skipped = newest_complete(tmp_path)
    assert number == 2
    assert list(skipped) == [10, 9]


def test_an_error_leaves_nothing(tmp_path: Path):
    def write_half() -> None:
        with writing(tmp_path / "0001", facts={}) as folder:
            (folder / "file").write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        write_half()
    assert os.listdir(tmp_path) == []


def test_nothing_is_written_over(tmp_path: Path):
    write(tmp_path / "0001", labels=1)
    with pytest.raises(StorageError, match="already there"):
        write(tmp_path / "0001", labels=2)
    assert verify(tmp_path / "0001").facts == {"labels": 1}


def test_an_earlier_one_is_replaced_only_on_request(tmp_path: Path):
    write(tmp_path / "model", labels=1)
    (tmp_path / "empty").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    for name in ("model", "empty"):
        with writing(tmp_path / name, facts={"labels": 2}, replace=True) as folder:
            (folder / "new").write_text("")
        assert set(verify(tmp_path / name).files) == {"new"}
    with pytest.raises(StorageError, match="already there"), writing(tmp_path / "mine", facts={}, replace=True):
        pass
    assert sorted(os.listdir(tmp_path)) == ["empty", "mine", "model"]


@pytest.mark.parametrize("name", ["fsync", "rename"])
def test_a_failing_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "iterates").mkdir()
    monkeypatch.setattr(os, name, fail)
    with pytest.raises(StorageError, match="No space left"):
        write(tmp_path / "iterates" / "0001")
    monkeypatch.undo()
    assert os.listdir(tmp_path / "iterates") == []


def test_space_is_asked_for_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda path: SimpleNamespace(free=2_199))
    require_space(tmp_path, 999)
    with pytest.raises(StorageError, match="free some space"):
        require_space(tmp_path, 1_000)


def test_the_manifest_comes_last_and_after_every_other_file_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    order: list[str] = []
    sync, rename = checkpoint._sync, os.rename

    def seen(path: Path) -> None:
        order.append(path.name)
        assert path.name == MANIFEST or path.is_dir() or not (path.parents[0] / MANIFEST).exists()
        sync(path)

    def renamed(source: Path, target: Path) -> None:
        order.append("rename")
        rename(source, target)

    monkeypatch.setattr(checkpoint, "_sync", seen)
    monkeypatch.setattr(os, "rename", renamed)
    write(tmp_path / "root" / "0001")
    files = [Path(name).name for name in sorted(CONTENT)]
    assert order[0] == tmp_path.name
    assert sorted(order[1:4]) == sorted(files)
    assert order[4] == MANIFEST
    assert {name.split(".")[0] for name in order[5:7]} == {"deep", "0001"}
    assert order[7:] == ["rename", "root"]


def killed(limit: int, final: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CHILD, str(limit), str(final)], capture_output=True, text=True, check=False
    )


def test_a_kill_at_every_point_leaves_the_one_before_or_the_new_one_whole(tmp_path: Path):
    """SIGKILL before and after every open, write, fsync, mkdir and rename of a write."""
    write(tmp_path / "counting" / "0001", number=1)
    done = killed(-1, tmp_path / "counting" / "0002")
    points = int(done.stdout)
    assert points > 30
    outcomes = set()
    for limit in range(1, points + 1):
        root = tmp_path / f"kill-{limit}"
        write(root / "0001", number=1)
        assert killed(limit, root / "0002").returncode == -9
        number, skipped = newest_complete(root)
        assert skipped == {}, "a directory with its final name was not whole"
        assert number is not None
        assert verify(root / f"{number:04d}").facts == {"number": number}
        outcomes.add(number)
        remove_litter(root)
        assert sorted(os.listdir(root)) == [f"{n:04d}" for n in range(1, number + 1)]
    assert outcomes == {1, 2}


def test_litter_is_only_what_a_write_left(tmp_path: Path):
    write(tmp_path / "0001")
    for name in ("0002.tmp-" + "0" * 32, "model.tmp-" + "f" * 32, "0002.tmp-1", "mine.tmp"):
        (tmp_path / name).mkdir()
    assert [path.name for path in remove_litter(tmp_path, "model")] == ["model.tmp-" + "f" * 32]
    assert [path.name for path in remove_litter(tmp_path)] == ["0002.tmp-" + "0" * 32]
    assert sorted(os.listdir(tmp_path)) == ["0001", "0002.tmp-1", "mine.tmp"]
    assert remove_litter(tmp_path / "nowhere") == []
