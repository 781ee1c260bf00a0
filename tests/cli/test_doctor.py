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
