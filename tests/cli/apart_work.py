"""What tests have done in another process."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from boldly.errors import ModelError


def told(words: list[str], tell: Callable[[str], None]) -> None:
    for word in words:
        tell(word)
    tell(f"done by {os.getpid()}")


def foreseen(tell: Callable[[str], None]) -> None:
    raise ModelError("no such model; write another.")


def unforeseen(tell: Callable[[str], None]) -> None:
    raise KeyError("nobody thought of it")


def killed(tell: Callable[[str], None]) -> None:
    os.kill(os.getpid(), 9)


def endless(pid: Path, tell: Callable[[str], None]) -> None:
    pid.write_text(str(os.getpid()))
    tell("begun")
    while True:
        time.sleep(1)
