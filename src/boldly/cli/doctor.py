"""`boldly doctor`: what is installed and what a run would use. Only `--devices` loads torch, which takes seconds."""

import json
import os
import platform
import shutil
import sqlite3
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

_PACKAGES = ("boldly", "torch", "transformers", "peft", "safetensors", "numpy", "scipy", "sqlalchemy", "pydantic")
_EXTRAS = {
    "judge": "openai",
    "postgres": "psycopg",
    "tensorboard": "tensorboard",
    "wandb": "wandb",
    "trackio": "trackio",
}

doctor = App(name="doctor", help_format="plaintext")
doctor.command(
    "boldly.cli.doctor_judge:judge",
    name="judge",
    help=(
        "Ask a judge twice: what its service can do, and what a label will cost.\n\n"
        "A request that the service refuses costs nothing and is written again in another form. It ends with 0 when it "
        "answered, 2 for what can't work (nothing was sent), 6 where it can't be reached or gives no answer."
    ),
)


@doctor.default
def look(
    *,
    devices: Annotated[
        bool, Parameter(negative=(), help="also look for accelerators and the engine that draws, which loads torch")
    ] = False,
    json: Annotated[bool, Parameter(negative=(), help="print one JSON object")] = False,
) -> int:
    found = examine(Path.cwd(), devices=devices)
    print(_as_json(found) if json else "\n".join(f"{name:<14}{_shown(value)}" for name, value in found.items()))
    return 0


def examine(folder: Path, *, devices: bool) -> dict[str, Any]:
    """Everything that a run depends on, seen from `folder`."""
    from boldly.data import base_directory
    from boldly.ledger.sql.file import journal

    mode, synchronous = journal(sqlite3.sqlite_version_info)
    found: dict[str, Any] = {
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
        "extras": {name: find_spec(module) is not None for name, module in _EXTRAS.items()},
        "sqlite": {"version": sqlite3.sqlite_version, "journal": mode, "synchronous": synchronous},
        "bundled model": (base_directory() / "config.json").is_file(),
        "folder": str(folder),
        "writable": os.access(folder, os.W_OK),
        "free disk": f"{shutil.disk_usage(folder).free / 1e9:.1f} GB",
        "cores": os.cpu_count(),
        "hub offline": os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"),
    }
    return found | {"devices": _devices(), "sampling": _sampling()} if devices else found


def _devices() -> list[str]:
    import torch

    found = [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    return [*found, *(["mps"] if torch.backends.mps.is_available() else []), f"cpu ({torch.get_num_threads()} threads)"]


def _sampling() -> str:
    """The engine that draws from a model of Llama's family on a CPU, and why it is not the compiled one."""
    from boldly.data import base_directory
    from boldly.lm.load import load
    from boldly.lm.sampling import native

    reason = native.misfit([load(base_directory(), device="cpu")])
    return f"plain, and not native: {reason}" if reason else "native"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _as_json(found: dict[str, Any]) -> str:
    return json.dumps(found)


def _shown(value: Any) -> str:
    match value:
        case None:
            return "not installed"
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{name} {_shown(entry)}" for name, entry in value.items())
        case list():
            return ", ".join(map(str, value))
    return str(value)
