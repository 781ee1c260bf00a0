"""A command that ends with the process that started it: `python -m boldly.cli.trainee run ...`, its stdin a pipe.

Whoever holds the other end of the pipe may be killed at any moment; then this process stops as SIGTERM stops it.
"""

import os
import signal
import sys
import threading

from boldly.cli.main import main


def _end_with_starter() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_starter, daemon=True).start()
    sys.exit(main())
