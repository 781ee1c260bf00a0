"""Formulas in Markdown stay the text that was written: no star, underscore or backslash of theirs is read as markup."""

from bisect import bisect_left

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

_DISPLAYED = {"$$": "$$", "\\[": "\\]"}
_WITHIN_A_LINE = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
_MOST_LINES = 100
_MOST_CHARACTERS = 4000


def formulas(parser: MarkdownIt) -> None:
    r"""Teach `parser` the tokens `formula` ($..$, $$..$$, \(..\), \[..\]) and `formula_block`.

    A single dollar sign opens only before a character that is no space, and closes only after one and before no digit
    (as in Pandoc), so prices stay prices. What isn't closed within 4000 characters or 100 lines is no formula.
    """
    parser.block.ruler.before("fence", "formula_block", _block, {"alt": ["paragraph", "blockquote", "list"]})
    parser.inline.ruler.before("escape", "formula", _inline)


def _block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if state.is_code_block(start):
        return False
    first = state.bMarks[start] + state.tShift[start]
    opening = state.src[first : first + 2]
    closing = _DISPLAYED.get(opening)
    if closing is None:
        return False
    for line in range(start, min(end, start + _MOST_LINES)):
        if line > start and state.sCount[line] < state.blkIndent:
            return False
        text = state.src[first + 2 if line == start else state.bMarks[line] : state.eMarks[line]].rstrip()
        if not text.endswith(closing):
            if closing in text:
                return False
            continue
        if closing in text.removesuffix(closing):
            return False
        if not silent:
            state.line = line + 1
            token = state.push("formula_block", "", 0)
            token.content = state.getLines(start, line + 1, state.blkIndent, False)
            token.map = [start, line + 1]
        return True
    return False


def _inline(state: StateInline, silent: bool) -> bool:
    start = state.pos
    opening = state.src[start : start + 2]
    if opening in _WITHIN_A_LINE:
        closing = _WITHIN_A_LINE[opening]
        found = state.src.find(closing, start + 2, min(state.posMax, start + _MOST_CHARACTERS))
        end = found + 2 if found > start + 2 else None
    elif opening[:1] == "$" and not opening[1:].isspace():
        end = _after_dollar(state, start)
    else:
        return False
    if end is None:
        return False
    if not silent:
        token = state.push("formula", "", 0)
        token.content = state.src[start:end]
    state.pos = end
    return True


def _after_dollar(state: StateInline, start: int) -> int | None:
    """Where the formula that a single dollar sign opens at `start` has ended."""
    closings = _closings(state)
    after = bisect_left(closings, start + 2)
    if after == len(closings) or closings[after] >= min(state.posMax, start + _MOST_CHARACTERS):
        return None
    return closings[after] + 1


def _closings(state: StateInline) -> list[int]:
    """Where a dollar sign may close a formula; found once for a text, as each sign before them asks for it."""
    known = state.env.get("dollars")
    if known is None or known[0] is not state.src:
        text = state.src
        signs = (i for i, character in enumerate(text) if character == "$" and i > 0)
        found = [
            i for i in signs if not (text[i - 1].isspace() or text[i - 1] == "\\" or text[i + 1 : i + 2].isdigit())
        ]
        known = state.env["dollars"] = (text, found)
    return known[1]


__all__ = ["formulas"]
