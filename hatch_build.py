"""Builds the native engine with the package. Without a C++ compiler the package does the same in Python, slower."""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("src", "boldly", "lm", "sampling", "native")
FLAGS = ("-std=c++17", "-O3", "-fPIC", "-shared", "-pthread")
LEVELS = {"v3": ("-march=x86-64-v3",), "v4": ("-march=x86-64-v4",)}
"""Builds for x86-64 by their vectors: AVX2, and AVX-512. Which of them runs is chosen at run time."""


class NativeBuildHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        built = build(Path(self.root) / FOLDER)
        if built:
            build_data["artifacts"] += [str(FOLDER / path.name) for path in built]
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def build(folder: Path) -> list[Path]:
    """The libraries, one for each level of this kind of processor; none where there is no compiler or it fails."""
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CXX", ""), "c++", "g++", "clang++"))), None)
    if compiler is None:
        print("boldly: no C++ compiler, so the native engine is left out", file=sys.stderr)
        return []
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return [
        path
        for level, flags in (LEVELS if x86 else {"generic": ()}).items()
        if (path := _compiled(compiler, folder, level, flags))
    ]


def _compiled(compiler: str, folder: Path, level: str, flags: tuple[str, ...]) -> Path | None:
    path = folder / f"decode-{level}.so"
    made = path.with_suffix(f".{os.getpid()}")
    done = subprocess.run(
        [compiler, *FLAGS, *flags, str(folder / "decode.cpp"), "-o", str(made)], capture_output=True, text=True
    )
    if done.returncode:
        print(f"boldly: the native engine is left out ({level}): {done.stderr[-500:]}", file=sys.stderr)
        return None
    made.replace(path)  # a process that runs the old one keeps it
    return path
