"""Where a run may go on, and under which configuration."""

from contextlib import closing
from pathlib import Path

import pytest

from boldly.config.reading import read_config
from boldly.config.schema import RunConfig
from boldly.errors import ConfigError
from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.copying import copy
from boldly.runner.directory import RunDirectory, begin, choose
from boldly.testing import query
from boldly.types import Tie


def config(root: Path, **flags: str) -> RunConfig:
    return read_config(flags={"recipe": "xpo", "output": str(root), **flags})


def begun(root: Path, *, asked: bool, **flags: str) -> RunDirectory:
    run = choose(config(root, **flags), fork=False)
    begin(run, config(root, **flags))
    with closing(SqlLedger(run.ledger)) as ledger:
        if asked:
            ledger.ask([query()])
    run.metrics.write_text("{}\n")
    return run


def files(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["a-file/run", "a-file", "x" * 300, "nul\0", "/proc/boldly", "/sys/boldly"])
def test_a_place_where_nothing_can_be_written_is_refused_and_nothing_is_left(name: str, tmp_path: Path):
    (tmp_path / "a-file").write_text("mine")
    with pytest.raises(ConfigError, match=r"`output` is .*, where nothing can be written \(.*--output DIR"):
        choose(config(tmp_path / name), fork=False)
    assert files(tmp_path).keys() == {"a-file"}


def test_choosing_leaves_nothing_behind(tmp_path: Path):
    root = tmp_path / "runs" / "deep" / "one"
    assert choose(config(root), fork=False).root == root
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_has_asked_keeps_its_configuration(tmp_path: Path):
    run = begun(tmp_path / "run", asked=True)
    before = files(run.root)
    with pytest.raises(ConfigError, match=r"(?s)--fork.*seed: 0 -> 1"):
        choose(config(run.root, seed="1"), fork=False)
    begin(run, config(run.root, budget="512"))
    assert files(run.root).keys() == before.keys()
    assert "budget: 512" in run.config.read_text()


def test_a_run_that_never_asked_takes_any_configuration_and_starts_anew(tmp_path: Path):
    run = begun(tmp_path / "run", asked=False)
    changed = config(run.root, seed="1")
    assert choose(changed, fork=False) == choose(changed, fork=True) == run
    assert run.metrics.exists()
    begin(run, changed)
    assert files(run.root).keys() == {"config.yaml"}
    assert "seed: 1" in run.config.read_text()


def test_a_fork_that_is_there_goes_on_and_another_change_is_another_fork(tmp_path: Path):
    run = begun(tmp_path / "run", asked=True)
    before = files(run.root)
    first, second = config(run.root, seed="1"), config(run.root, seed="2")
    for changed, name in ((first, "run-fork-1"), (first, "run-fork-1"), (second, "run-fork-2"), (first, "run-fork-1")):
        fork = choose(changed, fork=True)
        assert fork.root == tmp_path / name
        begin(fork, changed)
        assert not (fork.root / "result.json").exists()
        with closing(SqlLedger(fork.ledger)) as ledger:
            assert ledger.queries(0) == (query(),)
    assert choose(config(run.root, seed="1", budget="512"), fork=True).root.name == "run-fork-1"
    assert choose(config(run.root), fork=True) == run
    assert files(run.root) == before


def test_a_run_that_goes_on_can_be_forked(tmp_path: Path):
    """The ledger's copy is whole, although its writer is still at it."""
    run = begun(tmp_path / "run", asked=True)
    changed = config(run.root, seed="1")
    with closing(SqlLedger(run.ledger)) as going_on:
        going_on.ask([query(1)])
        fork = choose(changed, fork=True)
        begin(fork, changed)
        going_on.ask([query(2)])
    with closing(SqlLedger(fork.ledger)) as ledger:
        assert ledger.queries(0) == (query(), query(1))


def test_the_result_of_another_budget_goes_when_the_run_goes_on(tmp_path: Path):
    run = begun(tmp_path / "run", asked=True)
    run.result.write_text("{}")
    begin(run, config(run.root))
    assert run.result.exists()
    begin(run, config(run.root, budget="512"))
    assert not run.result.exists()


def test_labels_that_did_not_come_along_to_a_server_are_not_bought_again(tmp_path: Path, url: str):
    run = begun(tmp_path / "run", asked=True)
    with pytest.raises(ConfigError, match=r"(?s)has 0: some would be bought again.*boldly ledger copy"):
        choose(config(run.root, ledger=url), fork=False)
    copy(run.ledger, url)
    assert choose(config(run.root, ledger=url), fork=False) == run
    begin(run, config(run.root, ledger=url))
    with closing(SqlLedger(url)) as ledger:
        attempt = ledger.reserve(query().id, bound=0.0, budget=Budget(1))
        ledger.tell(attempt.id, Tie(), source="judge", price=0.0)
    with pytest.raises(ConfigError, match=r"with 1 labels, and the one at .* has 0"):
        choose(config(run.root), fork=False)
    with pytest.raises(ConfigError, match="only a file is copied"):
        choose(config(run.root, ledger=url, seed="1"), fork=True)
    with pytest.raises(ConfigError, match="holds another run"):
        choose(config(tmp_path / "other", ledger=url), fork=False)
