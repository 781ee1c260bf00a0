from pathlib import Path

import pytest

from boldly.errors import OracleError
from boldly.oracles.judge.keys import Key, read_key


def test_a_key_comes_from_the_environment_or_a_private_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("MY_KEY", raising=False)
    file = tmp_path / "key"
    file.write_text("sk-file\n")
    file.chmod(0o600)
    monkeypatch.setenv("MY_KEY_FILE", str(file))
    assert read_key("MY_KEY", needed=True).value == "sk-file"
    monkeypatch.setenv("MY_KEY", "sk-environment")
    assert read_key("MY_KEY", needed=True).value == "sk-environment"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_file_that_others_may_read_is_refused(mode: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    file = tmp_path / "key"
    file.write_text("sk-file")
    file.chmod(mode)
    monkeypatch.delenv("MY_KEY", raising=False)
    monkeypatch.setenv("MY_KEY_FILE", str(file))
    with pytest.raises(OracleError, match="chmod 600") as told:
        read_key("MY_KEY", needed=False)
    assert "sk-file" not in str(told.value)


def test_a_key_that_is_missing_or_broken_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(OracleError, match=r"export MY_KEY="):
        read_key("MY_KEY", needed=True)
    assert read_key("MY_KEY", needed=False).value == ""
    monkeypatch.setenv("MY_KEY_FILE", "no-such-file")
    with pytest.raises(OracleError, match="can't be read"):
        read_key("MY_KEY", needed=False)
    for broken in ("sk with space", "sk-\nx", "schlüssel"):
        monkeypatch.setenv("MY_KEY", broken)
        with pytest.raises(OracleError, match="set it again") as told:
            read_key("MY_KEY", needed=True)
        assert broken not in str(told.value)


def test_a_key_does_not_show_itself():
    """Case 80."""
    key = Key("sk-canary")
    assert "sk-canary" not in repr(key) + str(key) + f"{key}"
    assert key.redact("Bearer sk-canary, sk-canary!") == "Bearer [key], [key]!"
    assert Key().redact("nothing") == "nothing"
