"""Texts that are hard to show well."""

ARABIC = "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643"
RICH = (
    f"Compare `dict` and $x_1$, {ARABIC}.",
    "# A heading\n\n> quoted\n\n```py\nx = 1  # " + "long " * 60 + "\n```\n\n[a link](http://example.org) "
    "![an image](http://example.org/i)\u202e and `code`\n\n- one\n- two",
    "| "
    + " | ".join(f"column {i}" for i in range(12))
    + " |\n"
    + "|---" * 12
    + "|\n"
    + "| value " * 12
    + "|\n\n"
    + "w" * 400,
)
"""A prompt, an answer with most of what Markdown has, and one that is wider than any page."""
