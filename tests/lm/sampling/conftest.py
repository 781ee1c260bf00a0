import os
import shutil

import pytest

from boldly.lm.sampling.native.library import library


@pytest.fixture(scope="session")
def compiled() -> None:
    """The compiled engine is there; where there is a compiler, its absence is a failure."""
    if library() is None:
        if os.environ.get("CI") or shutil.which("c++"):
            pytest.fail("the native engine was not built: run `make clean` and the tests again")
        pytest.skip("no C++ compiler, so no native engine")
