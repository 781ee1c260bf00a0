"""What every test runs under.

One thread, Ctrl-C as in a terminal, no network for Hugging Face, the same hypothesis examples each time.

Shapes and types of the package are checked at run time: pyproject.toml hands `boldly` to jaxtyping's import hook.
"""

import itertools
import os
import shutil
import signal
from collections.abc import Iterator
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1")

import hypothesis
import pytest
import torch

from tests.support.postgres import HOW_TO_GET_IT, Postgres, binaries

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts this with `&` has it ignore Ctrl-C
torch.set_num_threads(1)
hypothesis.settings.register_profile("boldly", deadline=None, derandomize=True)
hypothesis.settings.load_profile("boldly")

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if binaries() is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_GET_IT)
    server = Postgres.made()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, one for each file: while Playwright runs, no test of the same thread can `asyncio.run`."""
    sync_api = pytest.importorskip("playwright.sync_api")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Chromium is installed: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def url(postgres: Postgres) -> str:
    """The location of a ledger that doesn't exist yet."""
    return postgres.url(f"test_{next(_numbers)}")
