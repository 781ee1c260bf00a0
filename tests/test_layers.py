"""Who may import whom (CONTRIBUTING.md, "Layers"), read from the source and not from what happens to be loaded."""

import ast
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = Path(__file__).parents[1] / "src" / "boldly"

# A part may import the parts of the lines above its own, and of its own line unless the line is in `APART`.
LAYERS = (
    {"types", "errors", "randomness", "policy"},
    {"objectives", "references"},
    {"samplers", "selectors", "oracles", "ledger", "loop"}
    | {"learner", "hypotheses", "beliefs", "buying", "drawing", "tables", "progress", "data", "records", "text"},
    {"pretrained"},
    {"lab", "lm", "ledger.sql", "cluster", "oracles.reward_model", "oracles.judge"},
    {"config", "metrics", "trackers", "testing", "lab.experiments", "oracles.registry"},
    {"report", "web"},
    {"runner"},
    {"cli", "__init__", "__main__"},
)
CORE = LAYERS[:3]
APART = (LAYERS[4], LAYERS[6])
ALLOWED_PAIRS = {("cluster", "lm")}
CORE_LIBRARIES = {"torch", "jaxtyping", "numpy", "scipy"}

HOW_TO_ADD = (
    "boldly.{part} has no layer: add it to LAYERS in tests/test_layers.py, as low as what it imports allows, "
    "and to the table in CONTRIBUTING.md."
)


def part_of(module: str) -> str:
    """The part that a dotted name below `boldly` belongs to: its folder or file, or what `LAYERS` names with a dot."""
    pieces = module.split(".")
    two = ".".join(pieces[:2])
    return two if any(two in layer for layer in LAYERS) else pieces[0]


def rank(part: str) -> int:
    for number, layer in enumerate(LAYERS):
        if part in layer:
            return number
    raise AssertionError(HOW_TO_ADD.format(part=part))


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    """`ledger.sql` for ledger/sql.py, `ledger` for ledger/__init__.py, `__init__` for the package itself."""
    pieces = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(pieces[:-1] if pieces[-1] == "__init__" and len(pieces) > 1 else pieces)


def imports(path: Path) -> list[tuple[int, str]]:
    """Line and absolute dotted name of each import, those inside functions included; `from a import b` gives a.b."""
    package = ["boldly", *path.relative_to(PACKAGE).parts[:-1]]
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            found += [(node.lineno, f"{stem}.{alias.name}") for alias in node.names]
    return found


def target_part(name: str) -> str:
    """The part an import below boldly reaches; a name that is not a file is an attribute of the package itself."""
    pieces = name.split(".")[1:]
    here = PACKAGE
    reached = []
    for piece in pieces:
        if not ((here / piece).is_dir() or (here / f"{piece}.py").is_file()):
            break
        reached.append(piece)
        here = here / piece
    return part_of(".".join(reached) or "__init__")


def violation(importer: str, imported: str) -> str | None:
    """Why `importer` may not import `imported` (both parts), or None."""
    if importer == imported or (importer, imported) in ALLOWED_PAIRS:
        return None
    low, high = rank(imported), rank(importer)
    if low > high:
        return f"{imported} lies above {importer}"
    if low == high and any(importer in line for line in APART):
        return f"{importer} and {imported} stand apart: neither imports the other"
    return None


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE.parent).as_posix()


def test_every_part_has_a_layer():
    parts = {part_of(module_name(path)) for path in sources()}
    homeless = sorted(part for part in parts if not any(part in layer for layer in LAYERS))
    assert not homeless, "\n".join(HOW_TO_ADD.format(part=part) for part in homeless)


@pytest.mark.parametrize("path", sources(), ids=relative)
def test_imports_point_down(path: Path):
    importer = part_of(module_name(path))
    wrong = []
    for line, name in imports(path):
        if name == "boldly" or name.startswith("boldly."):
            reason = violation(importer, target_part(name))
            if reason:
                wrong.append(f"{relative(path)}:{line} imports {name}: {reason}.")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", sources(), ids=relative)
def test_core_imports_only_its_libraries(path: Path):
    if not any(part_of(module_name(path)) in layer for layer in CORE):
        return
    allowed = CORE_LIBRARIES | {"boldly"} | sys.stdlib_module_names
    wrong = [
        f"{relative(path)}:{line} imports {name}; the core has only {', '.join(sorted(CORE_LIBRARIES))}."
        for line, name in imports(path)
        if name.split(".")[0] not in allowed
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("importer", "imported", "fine"),
    [
        ("objectives", "types", True),
        ("types", "objectives", False),
        ("objectives", "references", True),
        ("loop", "lm", False),
        ("lm", "loop", True),
        ("lm", "lab", False),
        ("lab", "lm", False),
        ("cluster", "lm", True),
        ("lm", "cluster", False),
        ("ledger", "ledger.sql", False),
        ("ledger.sql", "ledger", True),
        ("report", "web", False),
        ("report", "metrics", True),
        ("metrics", "config", True),
        ("cli", "report", True),
        ("report", "__init__", False),
        ("report", "lab.experiments", True),
        ("lab.experiments", "lab", True),
        ("lab", "lab.experiments", False),
    ],
)
def test_the_rules_themselves(importer: str, imported: str, fine: bool):
    assert (violation(importer, imported) is None) == fine


def dependencies_of(*roots: str) -> set[str]:
    """Canonical names of the distributions that `roots` need, extras left out, `roots` included."""
    seen: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        for line in metadata.requires(name) or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return seen


def test_objectives_need_only_torch_and_jaxtyping():
    """In a fresh process where every other installed package is refused, `import boldly.objectives` works."""
    allowed = dependencies_of("torch", "jaxtyping") | {"boldly"}
    blocked = {
        module
        for module, owners in metadata.packages_distributions().items()
        if not allowed & {canonicalize_name(owner) for owner in owners}
    } - sys.stdlib_module_names
    assert {"transformers", "sqlalchemy", "pydantic", "plotly", "cyclopts"} <= blocked
    program = f"""
import sys
from importlib.machinery import PathFinder
blocked = {sorted(blocked)!r}
class Fewer(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in blocked else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Fewer
import boldly.objectives
assert boldly.objectives.OBJECTIVES
print(sorted(set(blocked) & {{name.split(".")[0] for name in sys.modules}}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
