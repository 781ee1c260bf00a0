"""What a model wrote, as HTML that may be looked at: every letter of it is there, and nothing in it acts."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from html import escape
from typing import Any
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from boldly.text import Piece, flat, pieces
from boldly.web.mathematics import formulas

LONGEST = 20_000
DEEPEST = 20
MOST_TOKENS = 10_000

_SCHEMES = {"http", "https", "mailto"}
_TAGS = {"a", "br", "code", "div", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "span", "strong"}
_TAGS |= {"blockquote", "table", "tbody", "td", "th", "thead", "tr", "ul"}
_CLASSES = {
    "div": {"fenced", "plain", "wide"},
    "p": {"formula"},
    "span": {"formula", "hidden", "image", "language", "space", "target"},
    "td": {"center", "right"},
    "th": {"center", "right"},
}
_LEAVES = {"paragraph_open", "heading_open", "th_open", "td_open"}
_CONTAINERS = {"blockquote", "bullet_list", "ordered_list", "list_item", "table"}
_SUBSTANCE = re.compile(r"[^\n\t -/:-@\[-`{-~\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_STRONG = {"L": "ltr", "R": "rtl", "AL": "rtl"}

_Tokens = Sequence[Token]


def html(text: str) -> str:
    """`text` read as Markdown, cleaned by an allow-list; as plain text where Markdown would show less than was written.

    Only words, structure, code, tables and links remain. An image becomes words that name its host, a formula stays as
    it was written, and each character that can't be seen becomes its code point (a space of another kind is marked).
    Text of more than 20 000 characters or 10 000 blocks and cells, nested deeper than 20, or of which Markdown would
    leave something out (cells beyond a table's last column), is shown whole as it was written; so the work is bounded.
    """
    rendered = _markdown(text)
    return _cleaner().clean(_plain(text) if rendered is None else rendered).strip()


def raw(text: str) -> list[tuple[str, str]]:
    """`text` as it was written, in pieces: some text and "", or a hidden character's code point and its name."""
    return [(piece.text, piece.name) for piece in pieces(text)]


def _markdown(text: str) -> str | None:
    """None where Markdown would not show all of `text`."""
    if len(text) > LONGEST:
        return None
    parser = _parser()
    source = text.replace("\r\n", "\n").replace("\r", "\n")
    environment: dict[str, object] = {}
    tokens = parser.parse(source, environment)
    if len(tokens) > MOST_TOKENS:
        return None
    if _substance(source) != sum(_substance(token.content) + _substance(token.info) for token in tokens):
        return None
    _headings_below_the_page(tokens)
    _aligned_by_class(tokens)
    _numbered(tokens)
    _directed(tokens)
    for token in tokens:
        _link_targets(token.children or ())
    return parser.renderer.render(tokens, parser.options, environment)


def _plain(text: str) -> str:
    return f'<div class="plain" dir="auto">{_shown(text)}</div>'


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("js-default", {"html": False, "breaks": True, "maxNesting": DEEPEST})
    # Definitions of links and entities would hide what was written; unseen characters are to be named, not replaced.
    parser.disable(["reference", "entity", "normalize"])
    formulas(parser)
    parser.validateLink = _goes_outside
    for name, rule in _rules().items():
        parser.add_render_rule(name, rule)
    return parser


@cache
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=_TAGS,
        clean_content_tags=set(),
        attributes={"*": {"dir"}, "a": {"href", "title"}, "li": {"value"}, "span": {"title"}},
        allowed_classes=_CLASSES,
        set_tag_attribute_values={"a": {"target": "_blank"}},
        link_rel="noopener noreferrer nofollow",
        url_schemes=_SCHEMES,
    )


def _substance(text: str) -> int:
    """How many characters there are besides spaces and ASCII's punctuation, which Markdown takes as structure."""
    return len(_SUBSTANCE.findall(text))


def _shown(text: str) -> str:
    return "".join(_piece(piece) for piece in pieces(text))


def _piece(piece: Piece) -> str:
    if not piece.name:
        return escape(piece.text)
    if unicodedata.category(piece.written[0]) == "Zs":
        return f'<span class="space" title="{escape(piece.name)}">{piece.written}</span>'
    return f'<span class="hidden" title="{escape(piece.name)}">{piece.text}</span>'


def _goes_outside(url: str) -> bool:
    """Whether a link may lead there: away from this server, and to a page or a mailbox."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return False
    return parts.scheme in _SCHEMES and bool(parts.hostname or (parts.scheme == "mailto" and parts.path))


def _headings_below_the_page(tokens: _Tokens) -> None:
    """The page's own headings take the first two levels."""
    for token in tokens:
        if token.type.startswith("heading_"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"


def _aligned_by_class(tokens: _Tokens) -> None:
    for token in tokens:
        style = str(token.attrs.pop("style", ""))
        if style.endswith(("center", "right")):
            token.attrs["class"] = style.removeprefix("text-align:")


def _directed(tokens: _Tokens) -> None:
    """Each block of text finds its own direction; what contains blocks takes that of the first letter in it.

    HTML's `auto` on a container passes over parts that have a direction of their own, so containers are told theirs.
    """
    open_containers: list[Token] = []
    for token in tokens:
        name, _, end = token.type.rpartition("_")
        if token.type in _LEAVES:
            token.attrs["dir"] = "auto"
        elif name in _CONTAINERS and end == "open":
            open_containers.append(token)
        elif name in _CONTAINERS and end == "close":
            open_containers.pop()
        undecided = [container for container in open_containers if "dir" not in container.attrs]
        if undecided and (direction := _direction(token.content)):
            for container in undecided:
                container.attrs["dir"] = direction


def _direction(text: str) -> str | None:
    return next((_STRONG[kind] for kind in map(unicodedata.bidirectional, text) if kind in _STRONG), None)


def _link_targets(tokens: Iterable[Token]) -> None:
    """Where a link leads and what its title says stands behind it, unless its words say so."""
    opened: Token | None = None
    words: list[str] = []
    for token in tokens:
        if token.type == "link_open":
            opened, words = token, []
        elif token.type == "link_close" and opened is not None:
            href, title = str(opened.attrs["href"]), str(opened.attrs.get("title", ""))
            opened.attrs = {"href": href, "title": flat(href, 300)}
            host = _host(href)
            said = [host] if host not in "".join(words) else []
            token.content = ", ".join(said + ([f"“{title}”"] if title else []))
        else:
            words.append(token.content)


def _numbered(tokens: _Tokens) -> None:
    """Items keep the numbers that were written, which HTML would count anew."""
    for token in tokens:
        if token.type == "list_item_open" and token.info:
            token.attrs["value"] = token.info


def _host(url: str) -> str:
    parts = urlsplit(url)
    return parts.hostname or f"{parts.scheme}:{parts.path}"


def _rules() -> dict[str, Callable[..., str]]:
    return {
        "text": _text,
        "code_inline": _code_inline,
        "code_block": _code_block,
        "fence": _fence,
        "formula": _formula,
        "formula_block": _formula_block,
        "image": _image,
        "link_close": _link_close,
        "table_open": _table_open,
        "table_close": _table_close,
    }


def _text(renderer: Any, tokens: _Tokens, index: int, options: Any, environment: Any) -> str:
    return _shown(tokens[index].content)


def _code_inline(renderer: Any, tokens: _Tokens, index: int, options: Any, environment: Any) -> str:
    return f'<code dir="auto">{_shown(tokens[index].content)}</code>'


def _code_block(renderer: Any, tokens: _Tokens, index: int, options: Any, environment: Any) -> str:
    return f'<pre dir="auto"><code>{_shown(tokens[index].content)}</code></pre>\n'


def _fence(renderer: Any, tokens: _Tokens, index: int, options: Any, environment: Any) -> str:
    language = tokens[index].info.strip()
    named = f'<span class="language" dir="auto">{_shown(language)}</span>' if language else ""
    return f'<div class="fenced">{named}{_code_block(renderer, tokens, index, options, environment)}</div>\n'


def _formula(renderer: Any, tokens: _Tokens, index: int, options: Any, environment: Any) -> str:
    return f'<span class="formula" dir="ltr">{_shown(tokens[index].content)}</span>'


def _formula_block(renderer: Any, tokens: _Tokens, index: int, options: Any, environment: Any) -> str:
    return f'<p class="formula" dir="ltr">{_shown(tokens[index].content)}</p>\n'


def _image(renderer: Any, tokens: _Tokens, index: int, options: Any, environment: Any) -> str:
    token = tokens[index]
    parts = [_host(str(token.attrs["src"])), token.content, str(token.attrs.get("title", ""))]
    return f'<span class="image">[image: {_shown(": ".join(part for part in parts if part))}]</span>'


def _link_close(renderer: Any, tokens: _Tokens, index: int, options: Any, environment: Any) -> str:
    target = tokens[index].content
    return f'</a> <span class="target">({_shown(target)})</span>' if target else "</a>"


def _table_open(renderer: Any, tokens: _Tokens, index: int, options: Any, environment: Any) -> str:
    direction = tokens[index].attrs.get("dir", "auto")
    return f'<div class="wide"><table dir="{direction}">\n'


def _table_close(renderer: Any, tokens: _Tokens, index: int, options: Any, environment: Any) -> str:
    return "</table></div>\n"
