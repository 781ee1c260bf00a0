"""The files of an experiment: a page for people, the same in JSON for programs."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from boldly.errors import StorageError
from boldly.lab.experiments import Outcome
from boldly.report import page
from boldly.report.lab.index import Entrance, index_page
from boldly.report.lab.page import experiment_page
from boldly.report.lab.record import record


@dataclass(frozen=True, slots=True)
class Written:
    """Where an outcome was written."""

    json: Path
    html: Path


def write(outcome: Outcome, folder: Path | str, *, seconds: float | None = None) -> Written:
    """Write `NAME.json` and the self-contained page `NAME.html` into `folder`, each whole or not at all.

    Raises `StorageError` where they can't be written.
    """
    folder = _made(Path(folder))
    name = re.sub(r"[^\w-]+", "-", outcome.name, flags=re.ASCII).strip("-") or "experiment"
    text = json.dumps(record(outcome, seconds=seconds), allow_nan=False, ensure_ascii=False, indent=1)
    return Written(
        page.write(f"{text}\n", folder / f"{name}.json"),
        page.write(page.render(experiment_page(outcome, seconds=seconds)), folder / f"{name}.html"),
    )


def write_index(found: Sequence[Entrance], folder: Path, failed: Sequence[tuple[str, str]] = ()) -> Path:
    """Write `index.html`, which leads to the pages of `found` in the same folder. Raises `StorageError`."""
    return page.write(page.render(index_page(found, failed)), _made(folder) / "index.html")


def entrance(outcome: Outcome, html: Path, seconds: float) -> Entrance:
    """What an index in the folder of the page `html` says of an outcome."""
    return Entrance(outcome, quote(html.name), seconds)


def require_writable(folder: Path) -> None:
    """Raises `StorageError` where `folder` can't be written or, if there is none yet, made; makes nothing."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise _unwritable(folder, f"{there} is no directory")
    if not os.access(there, os.W_OK | os.X_OK):
        raise _unwritable(folder, f"no permission to write in {there}")


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error.strerror or str(error)) from error
    return folder


def _unwritable(folder: Path, why: str) -> StorageError:
    return StorageError(f"{folder} can't be written ({why}): write `--output DIR` with a directory that can.")
