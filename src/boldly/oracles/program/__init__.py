"""Oracles that somebody else wrote: a Python function, or an executable that is fed JSON lines."""

from boldly.errors import OracleError
from boldly.oracles.functions import load_function
from boldly.oracles.program.command import Answers, Command
from boldly.oracles.program.function import Program

__all__ = ["Answers", "Command", "Program", "program"]


def program(
    *,
    function: str = "",
    command: str | list[str] = "",
    answers: Answers = "preferences",
    lasting: bool = False,
    timeout: float | None = 60.0,
    workers: int = 1,
    price: float = 0.0,
    seed: int = 0,
) -> Program | Command:
    """Ask the Python function named by `function`, or the executable that `command` runs.

    `function` is `path/to/file.py:function` or `package.module:function`; `command` is its words, or one text that is
    split as a shell would. `answers` ("preferences" or "scores") and `lasting` are for a command. Raises `OracleError`
    unless exactly one of the two is given.
    """
    del seed  # a program has no randomness of its own
    if bool(function) == bool(command):
        both = "both `function` and `command`" if function else "neither `function` nor `command`"
        raise OracleError(
            f"the oracle `program` was given {both}; write one: `function: oracle.py:reward` for Python, "
            "`command: ./grader` for an executable."
        )
    if command:
        return Command(command, answers=answers, lasting=lasting, timeout=timeout, workers=workers, price=price)
    if answers != "preferences" or lasting:
        raise OracleError(
            "`answers` and `lasting` are for a `command`; a function says by its arguments what it answers: "
            "`def reward(prompt, response)` or `def prefer(prompt, a, b)`."
        )
    return Program(load_function(function), name=f"program:{function}", timeout=timeout, workers=workers, price=price)
