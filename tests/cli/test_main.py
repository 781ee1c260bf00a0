import os
import signal
import subprocess
import sys

import pytest

from boldly import errors
from boldly.cli import app, doctor, main

CODES = {
    errors.BoldlyError: 1,
    errors.InvalidInput: 2,
    errors.ConfigError: 2,
    errors.PromptsError: 2,
    errors.ModelError: 2,
    errors.OracleError: 2,
    errors.MissingExtra: 2,
    errors.WaitingForLabels: 3,
    errors.BudgetSpent: 4,
    errors.StorageError: 5,
    errors.NoLedger: 5,
    errors.OracleUnavailable: 6,
}


def raising(error: BaseException):
    def examine(*_: object, **__: object) -> None:
        raise error

    return examine


@pytest.mark.parametrize("kind", CODES)
def test_an_error_ends_in_its_exit_code_and_its_sentence(
    kind: type[errors.BoldlyError], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(doctor, "examine", raising(kind("what happened.\nand more.")))
    assert main(["doctor"]) == CODES[kind]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "boldly: what happened.\nboldly: and more.\n"


def test_every_error_of_boldly_is_in_the_table():
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.BoldlyError)}
    assert kinds == set(CODES)


def test_an_error_that_nobody_foresaw_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "examine", raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        main(["doctor"])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_stops_cleanly(
    number: int, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def examine(*_: object, **__: object) -> dict[str, object]:
        os.kill(os.getpid(), number)
        raise AssertionError("the signal did not arrive")

    before = signal.getsignal(number)
    monkeypatch.setattr(doctor, "examine", examine)
    assert main(["doctor"]) == code
    assert capsys.readouterr().err == "boldly: stopped\n"
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["rnu"], 'Did you mean "run"?'),
        (["run", "--config"], "--config requires an argument"),
        (["export", "--format", "xml", "x"], '"jsonl"'),
        (["status", "a", "b"], "b"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_wrong_usage_is_exit_2_without_a_traceback(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
):
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert expected in shown.err
    assert shown.err.startswith("boldly: ")


def test_help_lists_every_command_and_version_is_the_packages(capsys: pytest.CaptureFixture[str]):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f" {name} " in text for name in ("run", "status", "report", "export", "init", "doctor"))
    assert main(["--version"]) == 0
    from boldly import __version__

    assert capsys.readouterr().out.strip() == __version__


def test_help_of_every_command_reads_as_text():
    assert set(app) >= {"run", "status", "report", "export", "init", "doctor"}
    pages = app.generate_docs(output_format="markdown")
    for words in ("--schedule.labels_per_round", "who draws the responses", "--fork", "--devices"):
        assert words in pages


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["doctor"], ["init", "x.yaml"]])
def test_what_only_looks_never_loads_torch(arguments: list[str]):
    program = (
        "import sys; from boldly.cli import main; code = main(sys.argv[1:]); "
        "sys.exit(code or ('torch' in sys.modules or 'transformers' in sys.modules) * 99)"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_reader_that_goes_away_is_no_error():
    program = "from boldly.cli import main; import sys; sys.exit(main(['doctor', '--json']))"
    command = f'{sys.executable} -c "{program}" | true; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 128 + signal.SIGPIPE)
