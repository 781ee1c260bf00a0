"""What a model wrote, as HTML: everything of it can be read, and nothing but the allow-list's elements is there."""

import re
import time
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from boldly.text import pieces
from boldly.web.rendering import DEEPEST, LONGEST, html, raw
from tests.support.xss import CORPUS

ALLOWED: dict[str, set[str]] = {
    **{tag: {"dir"} for tag in ("blockquote", "code", "h3", "h4", "h5", "h6", "ol", "pre", "table", "ul")},
    **{tag: set() for tag in ("br", "em", "hr", "s", "strong", "tbody", "thead", "tr")},
    **{tag: {"dir", "class"} for tag in ("p", "div", "td", "th")},
    "a": {"href", "title", "target", "rel"},
    "li": {"dir", "value"},
    "span": {"dir", "class", "title"},
}
CLASSES = {"center", "fenced", "formula", "hidden", "image", "language", "plain", "right", "space", "target", "wide"}
VOID = {"br", "hr"}
ASCII_MARKS = set(map(chr, range(33, 127))) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


class Read(HTMLParser):
    """Elements with their attributes, and the words, of a fragment; `unclosed` elements must not leave it."""

    def __init__(self, fragment: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.unclosed: list[str] = []
        self.feed(fragment)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        assert len(attrs) == len(dict(attrs))
        if tag not in VOID:
            self.unclosed.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def checked(elements: list[tuple[str, dict[str, str | None]]]) -> None:
    for tag, attributes in elements:
        assert tag in ALLOWED, tag
        assert set(attributes) <= ALLOWED[tag], (tag, attributes)
        assert set((attributes.get("class") or "").split()) <= CLASSES
        assert attributes.get("dir") in {None, "auto", "ltr", "rtl"}
        assert re.fullmatch(r"\d*", attributes.get("value") or "")
        if tag == "a":
            assert attributes["target"] == "_blank"
            assert attributes["rel"] == "noopener noreferrer nofollow"
            assert re.match(r"(https?://[^/]|mailto:.)", attributes.get("href") or "mailto:?")


def visible(character: str) -> bool:
    return character in "\n\t " or all(not piece.name for piece in pieces(character))


@pytest.mark.parametrize("payload", CORPUS, ids=range(len(CORPUS)))
def test_a_payload_becomes_words(payload: str):
    read = Read(html(payload))
    checked(read.elements)
    assert read.unclosed == []
    assert all(visible(character) or unicodedata.category(character) == "Zs" for character in read.words)


def test_the_corpus_is_large_and_has_no_duplicates():
    assert len(set(CORPUS)) == len(CORPUS) >= 100


def test_a_browser_reads_the_same_elements(browser):
    """Chromium's own parser, given the fragments as the page gives them, and once more what it wrote of them."""
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    found = page.evaluate(
        """fragments => fragments.map(fragment => {
          const element = document.createElement("div");
          document.body.append(element);
          element.innerHTML = fragment;
          const again = element.innerHTML;
          const elements = [...element.querySelectorAll("*")].map(
            one => [one.localName, Object.fromEntries([...one.attributes].map(a => [a.name, a.value]))]
          );
          element.innerHTML = again;
          return { elements, same: again === element.innerHTML, foreign: !!element.querySelector("svg, math") };
        })""",
        [html(payload) for payload in CORPUS],
    )
    for one in found:
        checked([(tag, attributes) for tag, attributes in one["elements"]])
        assert one["same"]
        assert not one["foreign"]
    assert page.evaluate("window.pwned") is None
    assert asked == []


SOURCE = st.text(
    st.sampled_from(
        "ab1 \n\t[]()<>!*_~`$\\|-#>+.:\"'&;=/\u202e\u200b\u00a0\u3000\u2028\x00\x0c\ud800مé日🙂\u200d\ufe0f"
    ),
    max_size=80,
) | st.lists(st.sampled_from(CORPUS), min_size=2, max_size=4).map("\n".join)


@given(SOURCE)
@example("[a](http://b 'c')")
@example("| a |\n|---|\n| b | c |")
def test_any_text_becomes_allowed_elements_and_all_of_it_can_be_read(source: str):
    """Every character besides Markdown's own marks is there as often as it was written, where it can be read."""
    read = Read(html(source))
    checked(read.elements)
    assert read.unclosed == []
    assert all(visible(character) or unicodedata.category(character) == "Zs" for character in read.words)
    if re.search(r"\]\(|<(https?|mailto|[a-z]+):", source):
        return
    numbers = "".join(attributes.get("value") or "" for _, attributes in read.elements)
    written = "".join(piece.text for piece in pieces(source.replace("\r", "\n")))
    for character in set(written) - ASCII_MARKS - set("0123456789ABCDEFU"):
        if not character.isspace():
            assert read.words.count(character) >= written.count(character), character
    for digit in "01":
        assert (read.words + numbers).count(digit) >= source.count(digit)


@given(SOURCE)
def test_raw_text_is_all_there(source: str):
    shown = raw(source)
    assert "".join(text for text, name in shown if not name) == "".join(p.text for p in pieces(source) if not p.name)
    assert all(visible(character) for text, _ in shown for character in text)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("**a** *b* ~~c~~ `d`", '<strong>a</strong> <em>b</em> <s>c</s> <code dir="auto">d</code>'),
        ("# a", '<h3 dir="auto">a</h3>'),
        ("a\nb", "a<br>\nb"),
        ("5. a\n7. b", '<li value="5" dir="ltr">a</li>\n<li value="7" dir="ltr">b</li>'),
        ("```py\nx = 1\n```", '<span class="language" dir="auto">py</span><pre dir="auto"><code>x = 1\n</code></pre>'),
        ("![a cat](http://e.org/c.png)", '<span class="image">[image: e.org: a cat]</span>'),
        ("[a](http://e.org/b)", '>a</a> <span class="target">(e.org)</span>'),
        ("[e.org](http://e.org/b 'c')", '>e.org</a> <span class="target">(“c”)</span>'),
        ("<http://e.org>", ">http://e.org</a></p>"),
        ("[a](/b)", "[a](/b)"),
        ("[a][b]\n\n[b]: http://e.org", "[b]: http://e.org"),
        ("&lt;b&gt; &copy;", "&amp;lt;b&amp;gt; &amp;copy;"),
        ("a\u202eb", 'a<span class="hidden" title="U+202E RIGHT-TO-LEFT OVERRIDE">U+202E</span>b'),
        ("`a\u200bb`", "U+200B</span>b</code>"),
        ("oui\u00a0!", 'oui<span class="space" title="U+00A0 NO-BREAK SPACE">&nbsp;</span>!'),
        ("|a|b|\n|:-:|-:|\n|c|d|", '<td class="center" dir="auto">c</td>\n<td class="right" dir="auto">d</td>'),
        ("", ""),
    ],
)
def test_markdown_reads_as_it_should(source: str, shown: str):
    assert shown in html(source)


@pytest.mark.parametrize(
    "formula",
    ["$a_1 * b_2 * c_3$", "$$x_i * y_i * z$$", r"\(\alpha * \beta * x\)", r"\[a * b * c\]", "$x$"],
)
def test_a_formula_stays_as_it_was_written(formula: str):
    assert f'<span class="formula" dir="ltr">{formula}</span>' in html(f"so {formula} holds")


@pytest.mark.parametrize("formula", ["$$\na_1\n- b * c * d\n= 2\n$$", "\\[\n1. a\n\\\\ b\n\\]"])
def test_a_displayed_formula_keeps_its_lines(formula: str):
    assert html(f"so\n{formula}\nholds") == (
        f'<p dir="auto">so</p>\n<p class="formula" dir="ltr">{formula}</p>\n<p dir="auto">holds</p>'
    )


@pytest.mark.parametrize("text", ["from $5 to $6", "$ a $", "a $b", "$$ a", r"\( a", "$$\na", "costs 5$ or 6$"])
def test_what_is_no_formula_is_left_alone(text: str):
    assert "formula" not in html(text)


def test_each_block_finds_its_direction():
    arabic = "\u0645\u0631\u062d\u0628\u0627"
    shown = html(f"{arabic}\n\nhello\n\n1. {arabic}\n2. hello\n\n> - {arabic}\n\n| {arabic} |\n|---|\n| a |")
    assert shown.count('<p dir="auto">') == 2
    assert f'<ol dir="rtl">\n<li value="1" dir="rtl">{arabic}</li>\n<li value="2" dir="ltr">hello</li>' in shown
    assert '<blockquote dir="rtl">\n<ul dir="rtl">' in shown
    assert '<table dir="rtl">' in shown


@pytest.mark.parametrize(
    "text",
    [
        "a" * (LONGEST + 1),
        "word " * LONGEST,
        "> " * (DEEPEST + 1) + "deep",
        "- " * (DEEPEST + 1) + "deep",
        "| a |\n|---|\n| b | 99 |",
        "\x0bstripped\u2029",
        "- a\n" * 4000,
    ],
    ids=["long", "words", "quotes", "lists", "cells", "separators", "blocks"],
)
def test_what_markdown_would_cut_is_shown_whole(text: str):
    shown = html(text)
    assert shown.startswith('<div class="plain" dir="auto">')
    assert Read(shown).words.split() == "".join(piece.text for piece in pieces(text)).split()


HOSTILE = {
    **{
        part: part * LONGEST
        for part in ("[", "![", "[a](", "[[]](", "[*", "***[", "> ", "- ", "_*~~", "`", "$", "a$ $a")
    },
    **{part: part * LONGEST for part in ("\\[\n", "$$\n", "#\n", "|a\n|-\n", "a\n=\n", "[a]: (", "\u202ea")},
    "lazy quotes": "> " * 19 + "\n" + "a\n" * LONGEST,
    "wide table": "|a" * 2500 + "|\n" + "|-" * 2500 + "|\n" + "|\n" * LONGEST,
    "backticks": "".join("`" * i + " " for i in range(1, 240)),
    "indented lists": "".join("  " * i + "- a\n" for i in range(160)),
    "closed links": "[" * 3000 + "](a)" * 3000,
    "stars": "*" * 9000 + "a" + "*" * 9000,
}


OFTEN = {"[*", "wide table", "backticks", "stars", "$"}


@pytest.mark.parametrize(
    "name", [name if name in OFTEN else pytest.param(name, marks=pytest.mark.slow) for name in HOSTILE]
)
def test_no_text_takes_long(name: str):
    """The worst takes 1.3 seconds of a slow core; the checks of the tests and whatever else runs there take more."""
    text = HOSTILE[name][:LONGEST]
    before = time.process_time()
    html(text)
    assert time.process_time() - before < 10


@pytest.mark.parametrize("part", ["[", "> ", "\u0645 "])
def test_a_long_text_takes_no_longer(part: str):
    before = time.process_time()
    html((part * 100_000)[:100_000])
    raw((part * 100_000)[:100_000])
    assert time.process_time() - before < 10
