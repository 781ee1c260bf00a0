"""The page of one run, a file for each group of its sections."""

from boldly.report.single.story import single

__all__ = ["single"]
