"""The command line: one file for each command, which parses, calls and prints.

Data goes to stdout, everything else to stderr. The exit code is that of the error (see `boldly.errors`); 130 and 143
are a clean stop. Each command is imported when it is called, so that `boldly --help` costs nothing.
"""

from boldly.cli.main import app, main

__all__ = ["app", "main"]
