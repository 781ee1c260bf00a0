"""A real PostgreSQL server for tests: Debian's package, in a directory of its own, on a free port of this machine."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HOW_TO_GET_IT = "PostgreSQL is not installed: apt-get install postgresql"
USER = "boldly"


def binaries() -> Path | None:
    """The folder of initdb, pg_ctl and postgres: the newest of Debian's, else the one on PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = debian[-1] if debian else shutil.which("initdb")
    return None if found is None else Path(found).parent


@dataclass
class Postgres:
    """A server that keeps what it commits (fsync on). `stop` and `start` may be called at any time."""

    binaries: Path
    folder: Path
    port: int

    @classmethod
    def made(cls) -> "Postgres":
        found = binaries()
        if found is None:
            raise RuntimeError(HOW_TO_GET_IT)
        folder = Path(tempfile.mkdtemp(prefix="boldly-postgres-"))
        server = cls(found, folder, _free_port())
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        server._call("initdb", "-D", folder / "data", "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        server.start()
        return server

    def url(self, schema: str, port: int | None = None) -> str:
        return f"postgresql://{USER}@127.0.0.1:{port or self.port}/postgres?schema={schema}"

    def start(self) -> None:
        settings = ("listen_addresses=127.0.0.1", "max_connections=40", "deadlock_timeout=300ms")
        options = f"-p {self.port} -k {self.folder} " + " ".join(f"-c {setting}" for setting in settings)
        self._call("pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-o", options, "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        self._call("pg_ctl", "-D", self.folder / "data", "-m", mode, "-w", "stop")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def _call(self, name: str, *arguments: str | Path) -> None:
        command = [*_as_postgres(), str(self.binaries / name), *map(str, arguments)]
        done = subprocess.run(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False, env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{name} failed: {done.stdout}")


def _as_postgres() -> Sequence[str]:
    """The server refuses to run as root; the package has made a user for it."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
