"""Text of strangers, made fit to be looked at: nothing in it is hidden, and nothing in it acts."""

import json
import re
import unicodedata
from dataclasses import dataclass
from itertools import groupby

_HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_FILLERS = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0}
_PLAIN = {"\n", "\t", " "}
_PLAIN_TEXT = re.compile(r"[\n\t -~]*")
_NON_JOINER, _JOINER = "\u200c", "\u200d"
_VIRAMA = 9


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text as it is, or (`name`) a character that can't be seen, by its code point; `written` is it itself."""

    text: str
    name: str = ""
    written: str = ""


def pieces(text: str) -> list[Piece]:
    """`text` with every invisible or direction-changing character replaced by its code point, runs of one counted.

    Line feeds, tabs and spaces stay. So do emoji variation selectors, and joiners in words and emoji that are written
    with them, as those are part of what is seen.
    """
    if _PLAIN_TEXT.fullmatch(text):
        return [Piece(text, written=text)] if text else []
    shown: list[Piece] = []
    for hidden, run in groupby(range(len(text)), key=lambda place: _hidden(text[place]) and not _joins(text, place)):
        characters = "".join(text[place] for place in run)
        if not hidden:
            shown.append(Piece(characters, written=characters))
            continue
        for character, same in groupby(characters):
            times = len(list(same))
            code = f"U+{ord(character):04X}"
            name = unicodedata.name(character, "control character" if ord(character) < 160 else "unnamed")
            shown.append(Piece(code if times == 1 else f"{code} ×{times}", f"{code} {name}", character * times))
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


def _joins(text: str, place: int) -> bool:
    """Whether a joiner stands where it changes how its neighbours look.

    After a virama, or as a non-joiner between Arabic letters (RFC 5892, appendices A.1 and A.2, the latter without
    joining types); or as a joiner between emoji.
    """
    character = text[place]
    if character not in (_NON_JOINER, _JOINER) or not 0 < place < len(text) - 1:
        return False
    before, after = text[place - 1], text[place + 1]
    if unicodedata.combining(before) == _VIRAMA:
        return True
    if character == _NON_JOINER:
        return unicodedata.bidirectional(before) == unicodedata.bidirectional(after) == "AL"
    emoji_before = unicodedata.category(before) in ("So", "Sk") or before == "\ufe0f"
    return emoji_before and unicodedata.category(after) == "So"
