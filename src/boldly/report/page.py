"""From a page to one HTML file that needs nothing else."""

import base64
import glob
import hashlib
import os
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from boldly.errors import StorageError
from boldly.report.blocks import (
    Answers,
    Block,
    Claim,
    Code,
    Diagnosis,
    Entries,
    Figures,
    Judgement,
    Page,
    Table,
    is_figure,
)
from boldly.text import for_script, pieces

_NOTHING_FROM_OUTSIDE = "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:"

_NAMES: dict[type, str] = {
    Answers: "answers",
    Claim: "claim",
    Code: "code",
    Diagnosis: "diagnosis",
    Entries: "entries",
    Figures: "figures",
    Judgement: "judgement",
    Table: "table",
}


def render(page: Page) -> str:
    """The HTML of `page`: scripts and style inside it, no address of anything outside.

    A content security policy lets only the page's own scripts run, by their hashes, and lets nothing be fetched.
    """
    figures = _figures(page)
    plotly, script = _plotly() if figures else "", _asset("page.js")
    plots = for_script({figure.id: figure.plot for figure in figures})
    return _template().render(
        page=page,
        style=Markup(_asset("style.css")),
        plotly=Markup(plotly),
        script=Markup(script),
        plots=Markup(plots),
        policy=f"{_NOTHING_FROM_OUTSIDE}; script-src {_hash(plotly)} {_hash(script)}",
    )


def write(html: str, output: Path) -> Path:
    """Write the page whole or not at all. Raises `StorageError` where it can't be written."""
    partial = output.with_name(f".{output.name}.tmp-{os.getpid()}")
    try:
        _remove_litter(output)
        with partial.open("w", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(html)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(output)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StorageError(f"{output} can't be written: {error.strerror or error}; name another file.") from error
    return output


def _remove_litter(output: Path) -> None:
    """Take away what processes left that were killed while they wrote this page."""
    for left in output.parent.glob(f".{glob.escape(output.name)}.tmp-*"):
        try:
            os.kill(int(left.name.rpartition("-")[2]), 0)
        except ProcessLookupError:
            left.unlink(missing_ok=True)
        except (ValueError, PermissionError):
            continue


def _figures(page: Page):
    blocks = (block for section in page.sections for block in section.blocks)
    return [figure for block in blocks if isinstance(block, Figures) for figure in block.figures]


@cache
def _template():
    environment = Environment(
        loader=PackageLoader("boldly.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["pieces"] = pieces
    environment.tests["block"] = _is_block
    environment.tests["figure"] = is_figure
    return environment.get_template("page.html.jinja")


def _is_block(block: Block, name: str) -> bool:
    return _NAMES[type(block)] == name


@cache
def _asset(name: str) -> str:
    return (files("boldly.report") / "assets" / name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    """Plotly's library, as its Python package carries it; no `</script` may end its element before its end."""
    from plotly.offline import get_plotlyjs

    return get_plotlyjs().replace("</script", "<\\/script").replace("\r\n", "\n")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
