from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import Gateway
from tests.support.live_pages import Pages, Served, Spec
from tests.support.visits import Visit


@pytest.fixture(scope="session")
def pages() -> Iterator[Pages]:
    made = Pages()
    yield made
    made.close()


@pytest.fixture
def serve(pages: Pages, tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Serve a run: `serve(rules={"lease_seconds": 2})`, and more as `Spec` has it."""
    served: list[Served] = []

    def start(name: str = "run", **spec: Any) -> Served:
        served.append(pages.serve(Spec(str(tmp_path / name), **spec)))
        return served[-1]

    yield start
    for each in served:
        each.kill()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Visit]]:
    """Open a personal link in a browser of its own: `visit(served, 1)`."""
    opened: list[Visit] = []

    def open_link(*args: Any, **context: Any) -> Visit:
        opened.append(Visit(browser, *args, **context))
        return opened[-1]

    yield open_link
    for each in opened:
        each.context.close()


@pytest.fixture
def gateway() -> Iterator[Callable[[Served], Gateway]]:
    """A proxy in front of a page that is served."""
    made: list[Gateway] = []

    def put(served: Served) -> Gateway:
        made.append(Gateway(served.url))
        return made[-1]

    yield put
    for each in made:
        each.close()
