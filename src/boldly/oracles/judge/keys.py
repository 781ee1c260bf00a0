"""The key of a service: from the environment or a private file, and never in any text."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from boldly.errors import OracleError


@dataclass(frozen=True, slots=True)
class Key:
    """A secret that doesn't show itself. Without one (a server of this machine) `value` is empty."""

    value: str = field(default="", repr=False)

    def redact(self, text: str) -> str:
        """`text` without the key."""
        return text.replace(self.value, "[key]") if self.value else text


def read_key(variable: str, *, needed: bool) -> Key:
    """The key in the environment variable, or in the file, private to its owner, that `{variable}_FILE` names.

    Raises `OracleError` where there is none and one is `needed`, and for a file that others may read.
    """
    value = os.environ.get(variable, "").strip()
    named = os.environ.get(f"{variable}_FILE", "")
    if not value and named:
        value = _in_file(Path(named), variable)
    if not value and needed:
        raise OracleError(f"the judge needs a key and {variable} is not set: write `export {variable}=...` first.")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise OracleError(f"the key in {variable} has a space or a sign that no key has: set it again.")
    return Key(value)


def _in_file(file: Path, variable: str) -> str:
    try:
        mode, text = file.stat().st_mode, file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise OracleError(f"{variable}_FILE: {file} can't be read ({type(error).__name__}).") from None
    if mode & 0o077:
        raise OracleError(f"{variable}_FILE: others may read {file}: write `chmod 600 {file}`.")
    return text.strip()
