"""Text of strangers, made fit to be looked at: nothing in it is hidden, and nothing in it acts."""

import json
import unicodedata
from dataclasses import dataclass
from itertools import groupby

_HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_FILLERS = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0}
_PLAIN = {"\n", "\t", " "}


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text as it is, or (`name`) a character that can't be seen, by its code point."""

    text: str
    name: str = ""


def pieces(text: str) -> list[Piece]:
    """`text` with every invisible or direction-changing character replaced by its code point, runs of one counted.

    Line feeds, tabs and spaces stay. Emoji variation selectors stay, as they are part of visible characters.
    """
    shown: list[Piece] = []
    for hidden, run in groupby(text, key=_hidden):
        characters = "".join(run)
        if not hidden:
            shown.append(Piece(characters))
            continue
        for character, same in groupby(characters):
            times = len(list(same))
            code = f"U+{ord(character):04X}"
            name = unicodedata.name(character, "control character" if ord(character) < 160 else "unnamed")
            shown.append(Piece(code if times == 1 else f"{code} ×{times}", f"{code} {name}"))
    return shown


def flat(text: str, longest: int = 60) -> str:
    """`text` on one line with nothing hidden in it, for a legend, a table or a title."""
    line = " ".join("".join(piece.text if not piece.name else f"[{piece.text}]" for piece in pieces(text)).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def for_script(value: object) -> str:
    """`value` as JSON that may stand inside a script element: no character in it can end the element."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def for_plot(text: str) -> str:
    """A name as Plotly's labels show it, which read a little HTML."""
    return flat(text, 40).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _hidden(character: str) -> bool:
    if character in _PLAIN or " " < character <= "~":
        return False
    code = ord(character)
    variation = 0xFE00 <= code <= 0xFE0D or 0xE0100 <= code <= 0xE01EF or 0x180B <= code <= 0x180D
    space = unicodedata.category(character) == "Zs"
    return variation or space or code in _FILLERS or unicodedata.category(character) in _HIDDEN_CATEGORIES
