"""Finding functions, and refusing those that can't be asked."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from boldly.errors import OracleError
from boldly.oracles import Program, is_held, load_function, spec_of
from boldly.oracles.functions import kind_of


class Grader:
    def __call__(self, prompt, response):
        return 1.0

    def prefer(self, prompt, a, b):
        return True


def with_default(prompt, response, strict=True): ...
def with_keyword(prompt, a, b, *, strict=True): ...
def with_rest(prompt, response, *rest, **more): ...
def one(response): ...
def four(prompt, a, b, c): ...
def rest(*everything): ...
def named(prompt, response, *, strict): ...
async def later(prompt, response): ...


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (lambda prompt, response: 0.0, "reward"),
        (lambda prompt, a, b: 0.5, "prefer"),
        (with_default, "reward"),
        (with_keyword, "prefer"),
        (with_rest, "reward"),
        (Grader(), "reward"),
        (Grader().prefer, "prefer"),
        (partial(four, "prompt"), "prefer"),
    ],
)
def test_the_signature_says_the_kind(function: Callable, kind: str):
    assert kind_of(function) == kind


@pytest.mark.parametrize("function", [one, four, rest, named, later, max])
def test_a_signature_that_cannot_be_asked_is_refused_with_the_line_to_write(function: Callable):
    with pytest.raises(OracleError, match=r"write `def reward\(prompt, response\)"):
        kind_of(function)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rewards.py"
    path.write_text(
        "from dataclasses import dataclass\n\n@dataclass\nclass Box:\n    x: int = 0\n\n"
        "    def reward(self, prompt, response):\n        return 1.0\n\nbox = Box()\n\n"
        "def length(prompt, response):\n    return len(response.text)\n"
    )
    return path


def test_a_function_is_found_in_a_file(file: Path):
    assert load_function(f"{file}:length").__name__ == "length"
    assert kind_of(load_function(f"{file}:box.reward")) == "reward"


def test_a_relative_file_is_found(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(file.parent)
    assert load_function("rewards.py:length").__name__ == "length"
    assert load_function("./rewards.py:length").__name__ == "length"


def test_a_function_is_found_in_a_module():
    assert load_function("os.path:join").__name__ == "join"


@pytest.mark.parametrize("spec", ["", "length", ":length", "rewards.py:", "rewards.py"])
def test_a_name_without_its_place_is_refused(spec: str):
    with pytest.raises(OracleError, match=r"write `path/to/file\.py:function`"):
        load_function(spec)


def test_a_missing_function_is_named_with_the_nearest(file: Path):
    with pytest.raises(OracleError, match=r"no function `lenght`; did you mean `.*rewards\.py:length`\?"):
        load_function(f"{file}:lenght")


def test_a_value_is_no_function(file: Path):
    with pytest.raises(OracleError, match=r"no function `box\.x`"):
        load_function(f"{file}:box.x")


def test_a_missing_file_is_named():
    with pytest.raises(OracleError, match=r"no file `nowhere/rewards\.py`"):
        load_function("nowhere/rewards.py:length")


def test_a_missing_module_is_named():
    with pytest.raises(OracleError, match="no module `nowhere_at_all` is installed"):
        load_function("nowhere_at_all.rewards:length")


def test_what_a_file_lacks_is_named(tmp_path: Path):
    path = tmp_path / "needs.py"
    path.write_text("import nowhere_at_all\n")
    with pytest.raises(OracleError, match=r"No module named 'nowhere_at_all' at .*needs\.py:1"):
        load_function(f"{path}:length")


def test_what_a_module_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "needs_more.py").write_text("x = 1\nimport nowhere_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(OracleError, match=r"`needs_more` can't be imported: .*nowhere_at_all.*needs_more\.py:2"):
        load_function("needs_more:length")


def test_a_syntax_error_is_placed(tmp_path: Path):
    path = tmp_path / "wrong.py"
    path.write_text("def reward(prompt, response):\n    return (\n")
    with pytest.raises(OracleError, match=r"SyntaxError: .* at .*wrong\.py:2"):
        load_function(f"{path}:reward")


def test_an_error_at_import_is_placed(tmp_path: Path):
    path = tmp_path / "wrong.py"
    path.write_text("x = 1\ny = 1 / 0\n")
    with pytest.raises(OracleError, match=r"ZeroDivisionError: division by zero at .*wrong\.py:2"):
        load_function(f"{path}:reward")


@pytest.mark.parametrize("how", ["file", "module"])
def test_code_that_ends_the_program_is_refused(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "leaves_at_once.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    spec = f"{tmp_path}/leaves_at_once.py:f" if how == "file" else "leaves_at_once:f"
    with pytest.raises(OracleError, match=r"SystemExit: 3 at .*leaves_at_once.py:2"):
        load_function(spec)


def test_what_can_be_imported_is_named_and_gives_itself_back(tmp_path: Path):
    assert spec_of(one) == f"{__name__}:one"
    assert spec_of(Grader.prefer) == f"{__name__}:Grader.prefer"
    assert load_function(spec_of(kind_of)) is kind_of
    path = tmp_path / "mine.py"
    path.write_text("def reward(prompt, response):\n    return 1.0\n")
    assert spec_of(load_function(f"{path}:reward")) == f"{path}:reward"


def test_what_only_this_program_holds_is_named_and_refused():
    def local(prompt, response): ...

    grader = Grader()
    of_main = type(local)(local.__code__, {}, "of_main")
    of_main.__module__, of_main.__qualname__ = "__main__", "of_main"
    for oracle, name in (
        (local, local.__qualname__),
        (lambda prompt, response: 0.0, f"{local.__qualname__.removesuffix('local')}<lambda>"),
        (grader, "Grader"),
        (grader.prefer, "Grader.prefer"),
        (partial(one), "partial"),
        (of_main, "of_main"),
        (Program(with_keyword, name="mine"), "mine"),
    ):
        assert spec_of(oracle) == f"python:{name}"
        assert is_held(spec_of(oracle))
        with pytest.raises(
            OracleError, match=r"no command can find: call `boldly.run` there again, .*--oracle.function"
        ):
            load_function(spec_of(oracle))
    assert not is_held(spec_of(one))
    assert not is_held(None)
