from pathlib import Path

import pytest

from boldly.cli import main


def test_a_folder_without_a_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["report"]) == 2
    assert "there is no run in runs/" in capsys.readouterr().err
    assert main(["report", str(tmp_path)]) == 2
    assert "holds no run of boldly" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
