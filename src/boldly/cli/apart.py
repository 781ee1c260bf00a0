"""Work in a process of its own, whose libraries and memory go away with it."""

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from multiprocessing import connection
from multiprocessing.connection import Connection
from typing import Any

from boldly.errors import BoldlyError

Work = Callable[..., None]


def apart(work: Work, *arguments: Any, tell: Callable[[str], None]) -> None:
    """Do `work(*arguments, tell)` in a new process, which ends with this one; what it tells is told here.

    `work` has to be a function of a module. Raises what it raised, if boldly foresaw that; what interrupts the waiting
    ends the process.
    """
    context = multiprocessing.get_context("spawn")
    heard, said = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(said, work, arguments), daemon=True)
    with _deaf_to_interrupts():
        process.start()
    said.close()
    try:
        _listen(heard, tell)
        process.join()
    except BaseException:
        process.terminate()
        process.join()
        raise
    if process.exitcode:
        raise BoldlyError("a process was ended from outside before its work was done; there may not be enough memory.")


def _listen(heard: Connection, tell: Callable[[str], None]) -> None:
    """Tell what comes until the other end is closed. Raises an error that comes."""
    while True:
        try:
            word = heard.recv()
        except EOFError:
            return
        if isinstance(word, BaseException):
            raise word
        tell(word)


def _work(said: Connection, work: Work, arguments: tuple[Any, ...]) -> None:
    sys.stdout = sys.stderr
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work(*arguments, said.send)
    except BoldlyError as error:
        said.send(error)
    except Exception as error:
        unforeseen = RuntimeError(f"{type(error).__name__}: {error}")
        unforeseen.add_note(traceback.format_exc())
        said.send(unforeseen)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


@contextmanager
def _deaf_to_interrupts() -> Generator[None]:
    """A process that is started within the block does not hear Ctrl-C, which a terminal sends to both."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
