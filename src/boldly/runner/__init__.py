"""Running: a configuration is carried out in a directory of its own, from wherever that stands."""

from boldly.runner.directory import RunDirectory
from boldly.runner.execute import execute
from boldly.runner.result import as_json, load_result

__all__ = ["RunDirectory", "as_json", "execute", "load_result"]
