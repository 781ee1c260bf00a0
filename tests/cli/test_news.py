"""What `boldly label` says of the iterates that another process makes."""

from pathlib import Path

import pytest

from boldly.cli.news import News
from boldly.metrics import append, win_rate
from boldly.progress import Evaluation, Interval, Record


def add(run: Path, iterate: int, *, won: float | None = None) -> None:
    few = Interval(0.0, 0.0, 0.0, 1)
    rate = None if won is None else win_rate([won] * 8)
    evaluation = Evaluation(None, rate, few, few, 1.0, 0.0, few, 1.0, 0.0)
    append(run / "metrics.jsonl", Record(iterate, 16 * iterate, None if won is None else evaluation))


def test_each_iterate_is_told_once_and_those_before_in_one_line(tmp_path: Path):
    add(tmp_path, 0)
    add(tmp_path, 1)
    news = News(tmp_path)
    assert news.look() == ["iterate 1, after 16 labels"]
    assert news.look() == []
    add(tmp_path, 2, won=1.0)
    add(tmp_path, 3)
    assert [line.split(" against")[0].split(" 1.00")[0] for line in news.look()] == [
        "iterate 2, after 32 labels: win rate",
        "iterate 3, after 48 labels",
    ]


def test_a_run_without_an_iterate_has_no_news(tmp_path: Path):
    news = News(tmp_path)
    assert news.look() == []
    add(tmp_path, 0)
    assert news.look() == ["the base model"]


@pytest.mark.parametrize("broken", ['{"iterate": 1, "nonsense": 1}\n', "{\n", "\xff\n"])
def test_a_broken_line_is_told_once_and_what_came_meanwhile_when_it_is_mended(tmp_path: Path, broken: str):
    metrics = tmp_path / "metrics.jsonl"
    add(tmp_path, 0)
    news = News(tmp_path)
    news.look()
    whole = metrics.read_bytes()
    metrics.write_bytes(whole + broken.encode("latin-1"))
    (line,) = news.look()
    assert "line 2" in line
    assert str(metrics) in line
    add(tmp_path, 2)
    assert news.look() == []
    metrics.write_bytes(whole)
    add(tmp_path, 1)
    add(tmp_path, 2)
    add(tmp_path, 3)
    assert [line.split(",")[0] for line in news.look()] == ["iterate 1", "iterate 2", "iterate 3"]
