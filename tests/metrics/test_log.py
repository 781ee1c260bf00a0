import json
import math
from pathlib import Path

import pytest

from boldly.errors import StorageError
from boldly.metrics import Sample, append, curve, plain, read, read_samples, write_samples
from boldly.progress import Evaluation, Interval, Record, Result


def evaluation(reward: float | None = 0.5, win: float | None = 0.75) -> Evaluation:
    return Evaluation(
        reward=None if reward is None else Interval(reward, reward - 0.1, reward + 0.1, 256),
        win_rate=None if win is None else Interval(win, 0.7, 0.8, 256),
        kl_policy=Interval(1.5, 1.0, 2.0, 256),
        kl_reference=Interval(math.inf, -math.inf, math.inf, 1),
        reference_mass=0.25,
        largest_log_ratio=12.5,
        length=Interval(9.0, 8.0, 10.0, 256),
        distinct=0.5,
        truncated=0.0,
        kinds={"lazy": 0.25, "working right": 0.75},
    )


RECORDS = [
    Record(0, 0, evaluation(0.1)),
    Record(1, 16, None, {"preference": 12, "tie": 4}, 0.9, 0.69, -0.001, math.nan, 2, {"sampling": 1.5}),
    Record(2, 32, evaluation()),
]


def written(path: Path, records: list[Record] = RECORDS) -> Path:
    for record in records:
        append(path, record)
    return path


def test_what_is_appended_is_read(tmp_path: Path):
    read_back = read(written(tmp_path / "metrics.jsonl"))
    assert repr(read_back) == repr(RECORDS)
    assert isinstance(read_back[0].evaluation.reward, Interval)


def test_lines_are_strict_json_that_others_can_read(tmp_path: Path):
    lines = written(tmp_path / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON")) for line in lines]
    assert rows[2]["evaluation"]["reward"] == {"value": 0.5, "low": 0.4, "high": 0.6, "n": 256}
    assert rows[1]["gradient_norm"] == "nan"
    assert rows[0]["evaluation"]["kl_reference"]["value"] == "inf"


def test_a_line_that_a_crash_cut_short_is_as_if_never_written(tmp_path: Path):
    path = written(tmp_path / "metrics.jsonl")
    whole = path.read_bytes()
    last = len(whole.splitlines(keepends=True)[-1])
    for cut in range(1, last + 1):
        path.write_bytes(whole[:-cut])
        assert repr(read(path)) == repr(RECORDS[:2])
        append(path, RECORDS[2])
        assert path.read_bytes() == whole


def test_the_last_record_of_an_iterate_counts(tmp_path: Path):
    path = written(tmp_path / "metrics.jsonl", [*RECORDS, Record(1, 16, None, {"preference": 16})])
    assert [(r.iterate, dict(r.bought)) for r in read(path)] == [(0, {}), (1, {"preference": 16}), (2, {})]


def test_no_file_is_no_records(tmp_path: Path):
    assert read(tmp_path / "metrics.jsonl") == []
    assert read_samples(tmp_path / "samples.jsonl") == []


@pytest.mark.parametrize(
    "line", ["{", "[]", "3", '{"iterate": 1}', '{"iterate": "x", "labels": 1, "evaluation": null}']
)
def test_a_broken_line_is_named(tmp_path: Path, line: str):
    path = written(tmp_path / "metrics.jsonl")
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(StorageError, match="line 4"):
        read(path)


def test_a_directory_that_is_not_there_is_a_storage_error(tmp_path: Path):
    with pytest.raises(StorageError, match="can't be written"):
        append(tmp_path / "gone" / "metrics.jsonl", RECORDS[0])
    with pytest.raises(StorageError, match="can't be written"):
        write_samples(tmp_path / "gone" / "samples.jsonl", [])


def test_samples_come_back_whatever_their_text(tmp_path: Path):
    samples = [Sample(0, "a\nb\u2028c", "</script> \ud800 \u202e", None, False), Sample(3, "p", "r", 1.0, True, "kind")]
    path = tmp_path / "samples.jsonl"
    write_samples(path, samples)
    write_samples(path, samples)
    assert read_samples(path) == samples


def test_curve_falls_back_on_the_win_rate():
    assert curve(RECORDS) == [(0, 0.1), (32, 0.5)]
    assert curve([Record(0, 0, evaluation(None)), Record(1, 8, evaluation(None, None))]) == [(0, 0.75)]


def test_a_result_is_plain(tmp_path: Path):
    result = Result(
        tmp_path, "xpo", 8, 8, 1, "reward", Interval(1.0, 0.0, 2.0, 4), None, None, None, tmp_path, tmp_path, False
    )
    assert json.loads(json.dumps(plain(result)))["reward"]["n"] == 4
    assert plain(result)["run"] == str(tmp_path)
