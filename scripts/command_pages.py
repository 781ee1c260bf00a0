"""Writes docs/commands.md from the commands' own help: `make docs-generate`. tests/test_docs.py compares the two."""

from pathlib import Path

from boldly.cli import app

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"


def page() -> str:
    """The Markdown of every command, its arguments and options."""
    return app.generate_docs(output_format="markdown").rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
