"""Python functions that somebody else wrote: finding them, and reading what they can be asked."""

import difflib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from boldly.errors import OracleError
from boldly.types import content_id

Kind = Literal["reward", "prefer"]

_HELD = "python:"
_FROM_FILE = "boldly_oracle_"
_SHAPES = "write `def reward(prompt, response): ...` for a number, or `def prefer(prompt, a, b): ...` for a verdict"


def kind_of(function: Callable[..., Any]) -> Kind:
    """Whether a function rewards one response (two arguments) or compares two (three).

    Arguments with a default don't count. Raises `OracleError` for any other signature.
    """
    name = getattr(function, "__name__", type(function).__name__)
    if inspect.iscoroutinefunction(function):
        raise OracleError(f"`{name}` is async and would never be awaited; {_SHAPES}.")
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise OracleError(f"`{name}` has no signature to read; wrap it: {_SHAPES}.") from None
    required = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    by_place = all(p.kind is not p.KEYWORD_ONLY for p in required)
    kinds: dict[int, Kind] = {2: "reward", 3: "prefer"}
    if not by_place or len(required) not in kinds:
        given = ", ".join(p.name for p in required)
        raise OracleError(f"`{name}({given})` can't be asked: it needs two or three arguments by place; {_SHAPES}.")
    return kinds[len(required)]


def spec_of(oracle: object) -> str:
    """How a configuration names what a caller holds as an object: `module:qualname` where importing that gives it back.

    Everything else (a lambda, a function within a function or of `__main__`, an object) gets `python:` and its name,
    which `load_function` refuses.
    """
    module, name = str(getattr(oracle, "__module__", "")), getattr(oracle, "__qualname__", "")
    found: Any = None if module == "__main__" else sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is oracle:
        return f"{_file_of(module) or module}:{name}"
    return f"{_HELD}{name or getattr(oracle, 'name', None) or type(oracle).__qualname__}"


def is_held(spec: object) -> bool:
    """Whether a spec stands for something that only the Python program that began a run holds."""
    return isinstance(spec, str) and spec.startswith(_HELD)


def load_function(spec: str) -> Callable[..., Any]:
    """The function that `package.module:function` or `path/to/file.py:function` names.

    Runs the module or file, as importing it does. Raises `OracleError` that says what was not found, or where the code
    is wrong.
    """
    if is_held(spec):
        raise OracleError(
            f"`{spec.removeprefix(_HELD)}` is an object of the Python program that began the run, which no command can "
            "find: call `boldly.run` there again, or put it into a file and write `--oracle.function oracle.py:prefer`."
        )
    where, colon, name = spec.rpartition(":")
    if not (colon and where and name):
        raise OracleError(f"`{spec}` names no function; write `path/to/file.py:function` or `package.module:function`.")
    module = _from_file(Path(where)) if where.endswith(".py") else _from_name(where)
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        functions = [key for key, value in vars(module).items() if inspect.isfunction(value)]
        near = difflib.get_close_matches(name, functions, n=1) or functions[:1]
        hint = f"; did you mean `{where}:{near[0]}`?" if near else f"; {_SHAPES} in it."
        raise OracleError(f"`{where}` has no function `{name}`{hint}")
    return found


def _file_of(module: str) -> str | None:
    """The file of a module that `load_function` read from one."""
    return sys.modules[module].__file__ if module.startswith(_FROM_FILE) else None


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise OracleError(
            f"no file `{path}` (seen from {Path.cwd()}); write the path of the file that holds the function."
        )
    name = f"{_FROM_FILE}{content_id(str(path.resolve()))}"
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise OracleError(f"`{path}` can't be run: {_located(error)}") from error
    return module


def _from_name(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise OracleError(f"module `{name}` can't be imported: {_located(error)}") from error
        raise OracleError(
            f"no module `{error.name}` is installed; install it, or name a file: `path/to/rewards.py:function`."
        ) from None
    except (Exception, SystemExit) as error:
        raise OracleError(f"module `{name}` can't be imported: {_located(error)}") from error


def _located(error: BaseException) -> str:
    """What went wrong and at which file and line."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} at {error.filename}:{error.lineno}"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} at {last.filename}:{last.lineno}"
