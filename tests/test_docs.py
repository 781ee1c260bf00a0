"""The manual says what the code does: tables are registries, command pages are `--help`, links and commands exist."""

import importlib
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)])

REGISTRIES = {
    "objectives.md": "boldly.objectives:OBJECTIVES",
    "references.md": "boldly.references:REFERENCES",
    "samplers.md": "boldly.samplers:SAMPLERS",
    "selectors.md": "boldly.selectors:SELECTORS",
    "oracles.md": "boldly.oracles.registry:ORACLES",
    "learners.md": "boldly.lm.learners:LEARNERS",
    "engines.md": "boldly.lm.engines:ENGINES",
    "lab.md": "boldly.lab.experiments:EXPERIMENTS",
}


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def relative_links(text: str) -> list[str]:
    """Targets of `[..](target)` that are files of this repository, without their anchors."""
    targets = re.findall(r"\]\(([^)\s]+)\)", without_code(text))
    return [target.split("#")[0] for target in targets if not re.match(r"[a-z]+:|#", target)]


def shell_lines(text: str) -> list[str]:
    """The lines of a page's `sh`, `bash` and `console` blocks, comments and prompts taken off."""
    blocks = re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = (line.split(" #")[0].removeprefix("$ ").strip() for block in blocks for line in block.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def called(page: Path, program: str) -> set[str]:
    """What follows `program` in the shell blocks of a page: make's targets, boldly's commands."""
    words = (line.split() for line in shell_lines(page.read_text()))
    return {w[i + 1] for w in words for i in range(len(w) - 1) if w[i].split("/")[-1] == program}


def table_names(page: Path) -> list[str]:
    """The first column of the page's choosing table, the one whose header begins with `name`."""
    match = re.search(r"^\| name \|.*\n\|[-| :]+\|\n((?:\|.*\n?)*)", page.read_text(), flags=re.MULTILINE)
    assert match, f"{page.name} has no table that begins with | name |"
    return [row.split("|")[1].strip().strip("`") for row in match[1].splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_to_files_resolve(page: Path):
    broken = [target for target in relative_links(page.read_text()) if not (page.parent / target).exists()]
    assert broken == []


@pytest.mark.parametrize("name", REGISTRIES)
def test_choosing_table_is_the_registry(name: str):
    module, registry = REGISTRIES[name].split(":")
    assert sorted(table_names(DOCS / name)) == sorted(getattr(importlib.import_module(module), registry))


def test_choosing_table_of_recipes_is_the_folder():
    recipes = (ROOT / "src" / "boldly" / "recipes").glob("*.yaml")
    assert sorted(table_names(DOCS / "recipes.md")) == sorted(path.stem for path in recipes)


def test_every_page_is_in_the_table_of_contents():
    index = (DOCS / "index.md").read_text()
    listed = {line for block in re.findall(r"```{toctree}\n(.*?)```", index, re.DOTALL) for line in block.split("\n")}
    assert {page.stem for page in DOCS.glob("*.md")} - {"index"} <= listed


def test_make_targets_that_are_named_exist():
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for page in PAGES:
        assert {word for word in called(page, "make") if "=" not in word} <= targets, page.name


def test_commands_that_are_named_exist():
    from boldly.cli import app

    known = set(app)
    for page in PAGES:
        if page != DOCS / "commands.md":
            assert called(page, "boldly") <= known, page.name


def test_readme_names_commands():
    """So that the two tests above can't pass by having read nothing."""
    assert {"demo", "test"} <= called(ROOT / "README.md", "make")


def test_commands_page_is_the_help():
    page = runpy.run_path(str(ROOT / "scripts" / "command_pages.py"))["page"]
    assert (DOCS / "commands.md").read_text() == page(), "run `make docs-generate`"
