"""What a page owes those who can't see it well, or don't use a mouse, as far as it can be computed.

Names and roles are Chromium's own, as a screen reader is told them; the rest is in audit.js.
"""

from pathlib import Path
from typing import Any

ROLES = {"button", "link", "textbox", "radio", "DisclosureTriangle", "group", "region"}
"""The roles of what may have the focus; groups and regions are what scrolls."""

_SCRIPT = Path(__file__).with_suffix(".js").read_text().rstrip()
CONTRAST, FOCUS, STRUCTURE, OVERFLOW = (
    f"{_SCRIPT}.{name}()" for name in ("contrast", "focus", "structure", "overflow")
)


def controls(page: Any) -> dict[str, set[str]]:
    """What may have the focus, as assistive technology is told it: the names of each role."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    found: dict[str, set[str]] = {}
    for node in nodes:
        properties = {each["name"]: each["value"].get("value") for each in node.get("properties", ())}
        role = node.get("role", {}).get("value")
        if properties.get("focusable") and not node.get("ignored") and role not in ("RootWebArea", "heading"):
            found.setdefault(role, set()).add(node.get("name", {}).get("value", "").strip())
    return found
