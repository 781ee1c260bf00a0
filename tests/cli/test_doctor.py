import json
import sqlite3
from importlib import metadata

import pytest

from boldly.cli import main


def test_it_names_versions_extras_and_how_labels_are_kept(capsys: pytest.CaptureFixture[str]):
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["torch"] == metadata.version("torch")
    assert found["extras"] == {"judge": True, "postgres": True, "tensorboard": True, "wandb": False, "trackio": False}
    assert found["sqlite"]["version"] == sqlite3.sqlite_version
    assert (found["sqlite"]["journal"], found["sqlite"]["synchronous"]) in (("wal", "FULL"), ("truncate", "EXTRA"))
    assert found["bundled model"]
    assert found["writable"]
    assert "devices" not in found


def test_devices_are_looked_for_when_asked(capsys: pytest.CaptureFixture[str]):
    assert main(["doctor", "--devices"]) == 0
    text = capsys.readouterr().out
    assert "devices       " in text
    assert "cpu (" in text


@pytest.mark.parametrize("built", [True, False])
def test_it_says_which_engine_draws_and_why_not_the_compiled_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, built: bool
):
    from boldly.lm.sampling.native import fits, library

    if not built:
        monkeypatch.setattr(fits, "library", lambda: None)
    assert main(["doctor", "--devices", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["sampling"]
    if built and library.library() is not None:
        assert said == "native"
    else:
        assert said.startswith("plain, and not native: it was not built for this boldly")
