from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.web.fake_server import Fake, serving


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open the page of a fake server: `visit(lease_seconds=1)`, `visit(settings={"confirm": True})`."""
    from tests.web.page.visits import PAIRS, Visit  # Playwright is there: `browser` skips where it isn't

    opened: list[Visit] = []
    servers: list[Any] = []

    def open_page(context: dict[str, Any] | None = None, **fake: Any) -> Visit:
        server = serving(Fake(**{"pairs": PAIRS, **fake}))
        servers.append(server)
        opened.append(Visit(browser, server.__enter__(), **(context or {})))
        return opened[-1]

    yield open_page
    for each in opened:
        each.context.close()
    for server in servers:
        server.__exit__(None, None, None)
