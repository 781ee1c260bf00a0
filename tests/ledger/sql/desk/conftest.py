from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.sql.desk.small import Run


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Makes runs whose ledgers are verified at the end."""
    made: list[Run] = []

    def make(**how: Any) -> Run:
        made.append(Run(tmp_path / f"{len(made)}.sqlite", **how))
        return made[-1]

    yield make
    for run in made:
        run.close()
