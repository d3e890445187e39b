"""How `snahelpers` is built: its size, its names, and which of its modules imports which."""

import ast
import graphlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import snahelpers as sna

PACKAGE = Path(sna.__file__).parent
ROOT = PACKAGE.parent
# Everything that is computed is below everything that is shown.
SHOWS = {"plots", "widgets", "lab", "check"}
MOST_STATEMENTS = {"the helper": 2450, "check": 250, "lab": 500}
MOST_NAMES = 55
LARGEST_MODULE = 250  # statements


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def imports(tree):
    """The (module, name) pairs that a tree imports from this package, wherever they stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "snahelpers":
            yield from ((node.module, name.name) for name in node.names)
        if isinstance(node, ast.Import):
            ours = [name.name for name in node.names if name.name.split(".")[0] == "snahelpers"]
            yield from ((name, "") for name in ours)


def imported(name):
    """The modules of the package that are imported when this one is."""
    for module, part in imports(TREES[name]):
        below = f"{module}.{part}"
        yield below if below in MODULES else module


def part_of(module):
    """The file or folder directly in the package that a module belongs to."""
    return module.split(".")[1] if "." in module else ""


def is_one_way(graph):
    try:
        return bool(tuple(graphlib.TopologicalSorter(graph).static_order()))
    except graphlib.CycleError:
        return False


def statements(tree):
    """Statements, docstrings not counted: layout is no matter."""
    nodes = list(ast.walk(tree))
    documented = [
        n
        for n in nodes
        if isinstance(n, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    docstrings = sum(ast.get_docstring(node) is not None for node in documented)
    return sum(isinstance(node, ast.stmt) for node in nodes) - docstrings


def test_the_size_is_kept():
    counts = {name: statements(tree) for name, tree in TREES.items()}
    totals = Counter()
    for name, count in counts.items():
        part = part_of(name)
        totals[part if part in MOST_STATEMENTS else "the helper"] += count
        print(f"{count:5}  {name}")
    for part, most in MOST_STATEMENTS.items():
        print(f"{totals[part]:5}  {part}, at most {most}")
    assert all(totals[part] <= most for part, most in MOST_STATEMENTS.items())
    assert max(counts.values()) <= LARGEST_MODULE


def test_public_names_are_few_and_there():
    assert sna.__all__ == sorted(set(sna.__all__))
    assert len(sna.__all__) <= MOST_NAMES
    assert all(hasattr(sna, name) for name in sna.__all__)
    with pytest.raises(AttributeError, match="no attribute 'sweeep'"):
        _ = sna.sweeep


def test_the_lab_is_loaded_only_by_who_asks_for_it():
    told = (
        "import sys, snahelpers; print([n for n in sys.modules if n.startswith('snahelpers.lab')])"
    )
    found = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_lab_stands_on_public_names_alone():
    for name, tree in TREES.items():
        if part_of(name) != "lab":
            continue
        for module, part in imports(tree):
            assert module == "snahelpers" or part_of(module) == "lab", (name, module, part)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("sna."):
                assert "._" not in ast.unparse(node), name


def test_imports_point_one_way():
    modules = {name: set(imported(name)) - {"snahelpers"} for name in MODULES}
    parts = {part_of(name): set() for name in modules if name != "snahelpers"}
    for name, below in modules.items():
        if name != "snahelpers":  # which gathers what is public
            parts[part_of(name)] |= {part_of(other) for other in below} - {part_of(name)}
    del modules["snahelpers"]
    for folder in [name for name, path in MODULES.items() if path.name == "__init__.py"]:
        modules.pop(folder, None)  # which gathers its own modules
    assert is_one_way(modules) and is_one_way(parts)
    assert not is_one_way(parts | {"errors": {"sweeps"}})  # sweeps stands on errors, as all do


@pytest.mark.parametrize("name", MODULES)
def test_what_computes_knows_nothing_of_what_is_shown(name):
    if name != "snahelpers" and part_of(name) not in SHOWS:
        assert not {part_of(other) for other in imported(name)} & SHOWS


def reached(name):
    """All that is imported, directly or not, when this module is."""
    below = {other for other in imported(name) if other != "snahelpers"}
    return below.union(*(reached(other) for other in below))


def test_who_reads_a_table_needs_no_engine():
    heavy = {f"snahelpers.{name}" for name in ("engines", "models", "sweeps", "methods")}
    for name in ("frames", "stats", "zones", "plots", "check.start_here"):
        assert not reached(f"snahelpers.{name}") & heavy
    assert reached("snahelpers.frames") == {"snahelpers.errors"}


@pytest.mark.parametrize("name", MODULES)
def test_imports_are_plain(name):
    """No import is hidden from a reader, and none passes through a second module."""
    source = MODULES[name].read_text(encoding="utf-8")
    assert "TYPE_CHECKING" not in source and "fmt: skip" not in source
    defined = {node.name for node in TREES[name].body if hasattr(node, "name")}
    assert name.split(".")[-1] not in defined  # no function has its module's name
    if MODULES[name].name == "__init__.py" and name != "snahelpers":
        for module, part in imports(TREES[name]):  # modules of its own, or names it uses itself
            assert part not in getattr(sys.modules.get(name), "__all__", ()) or (
                f"{module}.{part}" in MODULES
            )


def test_notebooks_need_no_skipping_of_the_formatter():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert "fmt: skip" not in path.read_text(encoding="utf-8")
