"""Runs the lab's experiments: one in this process, or several in processes of their own, and writes their pages."""

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

from boldly.errors import BoldlyError
from boldly.lab.experiments import Experiment, Outcome, Watch

_LOOK = 0.2
"""Seconds between two looks at how far the processes are."""


@dataclass(frozen=True, slots=True)
class Task:
    """An experiment and the settings to run it with."""

    name: str
    experiment: Experiment
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of an experiment: its outcome, the seconds it took, and where it was written."""

    name: str
    outcome: Outcome
    seconds: float
    json: Path
    html: Path


@dataclass(frozen=True, slots=True)
class Broke:
    """An experiment that did not end: why in one sentence, and where in the code unless boldly foresaw it."""

    name: str
    reason: str
    trace: str = ""


def run_task(task: Task, folder: Path, watch: Watch) -> Ran:
    """Run one experiment on one thread and write its files. Raises `StorageError` where they can't be written."""
    import torch

    from boldly.report.lab import write

    torch.set_num_threads(1)
    begun = time.perf_counter()
    outcome = task.experiment(watch=watch, **task.settings)
    seconds = time.perf_counter() - begun
    written = write(outcome, folder, seconds=seconds)
    return Ran(task.name, outcome, seconds, written.json, written.html)


def run_tasks(
    tasks: Sequence[Task], folder: Path, watch: Callable[[str, float], None], *, processes: int
) -> Iterator[Ran | Broke]:
    """Run experiments in new processes, `processes` at a time, and yield each as it ends; one that breaks ends alone.

    `watch` is called in this process with a name and the share that is done. Whatever ends the iteration early, an
    interrupt too, ends the processes.
    """
    context = multiprocessing.get_context("spawn")
    shares: SimpleQueue[tuple[str, float]] = context.SimpleQueue()
    with (
        ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(shares,)) as pool,
        _stopping_children(),
    ):
        with _deaf_to_interrupts():
            running = {pool.submit(_attempt, task, folder): task.name for task in tasks}
        while running:
            ended, _ = wait(running, timeout=_LOOK, return_when=FIRST_COMPLETED)
            while not shares.empty():
                watch(*shares.get())
            for future in ended:
                yield _result(future, running.pop(future))


def _result(future: Future[Ran | Broke], name: str) -> Ran | Broke:
    try:
        return future.result()
    except BrokenProcessPool:
        return Broke(name, "a process was ended from outside before this was done; there may not be enough memory")


_shares: SimpleQueue[tuple[str, float]]


def _begin(shares: SimpleQueue[tuple[str, float]]) -> None:
    """Prepare a new process: what it prints is no result, and it does not outlive the one that started it."""
    global _shares
    _shares = shares
    sys.stdout = sys.stderr
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def _attempt(task: Task, folder: Path) -> Ran | Broke:
    sent = -1.0

    def watch(share: float) -> None:
        nonlocal sent
        if share >= sent + 0.01:
            sent = share
            _shares.put((task.name, share))

    watch(0.0)
    try:
        return run_task(task, folder, watch)
    except BoldlyError as error:
        return Broke(task.name, str(error))
    except Exception as error:
        return Broke(task.name, f"{type(error).__name__}: {error}", traceback.format_exc())


@contextmanager
def _stopping_children() -> Generator[None]:
    """What is raised within the block first ends the processes that were started there, so nobody waits for them."""
    before = set(multiprocessing.active_children())
    try:
        yield
    except BaseException:
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
        raise


@contextmanager
def _deaf_to_interrupts() -> Generator[None]:
    """Processes that are started within the block don't hear Ctrl-C, which a terminal sends to each; this one does."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
