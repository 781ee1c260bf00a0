"""The manual: Markdown pages, built with warnings as errors (`make docs`)."""

from importlib.metadata import version as version_of

project = "boldly"
author = "the boldly authors"
version = release = version_of("boldly")
extensions = ["myst_parser"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": "Align a language model to preferences with the fewest labels."}
