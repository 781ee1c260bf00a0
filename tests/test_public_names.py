"""Each folder says in `__all__` what of it is public: all of it, nothing more, in ruff's order (RUF022)."""

import ast
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "boldly"
FOLDERS = sorted(path for path in PACKAGE.rglob("__init__.py"))


def dotted(path: Path) -> str:
    return ".".join(path.parent.relative_to(PACKAGE.parent).parts)


def bound_names(body: list[ast.stmt], package: str) -> set[str]:
    """Names that a module body binds itself or takes from its folder's files; those of others are not its own."""
    names: set[str] = set()
    for node in body:
        match node:
            case ast.ImportFrom(module=module, level=level) if level == 1 or str(module).startswith(f"{package}."):
                names |= {alias.asname or alias.name for alias in node.names}
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=targets):
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
    return {name for name in names if not name.startswith("_")}


def ruff_order(name: str) -> tuple[int, str]:
    """CONSTANTS, then Classes, then the rest."""
    kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return kind, name


@pytest.mark.parametrize("path", FOLDERS, ids=dotted)
def test_all_is_exactly_the_public_names(path: Path):
    module = importlib.import_module(dotted(path))
    listed = getattr(module, "__all__", [])
    bound = bound_names(ast.parse(path.read_text()).body, dotted(path))
    assert sorted(bound - set(listed)) == [], (
        f"names of {dotted(path)} that __all__ lacks; list them or import their module"
    )
    missing = [name for name in listed if not hasattr(module, name)]
    assert missing == [], f"in __all__ of {dotted(path)} but not there"


@pytest.mark.parametrize("path", FOLDERS, ids=dotted)
def test_all_is_sorted_and_without_repeats(path: Path):
    listed = getattr(importlib.import_module(dotted(path)), "__all__", [])
    assert list(listed) == sorted(set(listed), key=ruff_order)
