"""How `snahelpers` is built: which of its parts imports which."""

import ast
import graphlib
from pathlib import Path

import pytest

import snahelpers

HOUSE = Path(snahelpers.__file__).parent
# Everything that is computed is below everything that is shown.
SHOWS = {"plots", "widgets", "lab", "check"}


def module_of(path):
    parts = path.relative_to(HOUSE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in HOUSE.rglob("*.py")}


def imported(path):
    """The modules of the house that are imported when this one is."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:  # none inside TYPE_CHECKING
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "snahelpers":
            for name in node.names:
                below = f"{node.module}.{name.name}"
                yield below if below in MODULES else node.module


def part_of(module):
    """The file or folder directly in the house that a module belongs to."""
    return module.split(".")[1] if "." in module else ""


def is_one_way(graph):
    try:
        return bool(tuple(graphlib.TopologicalSorter(graph).static_order()))
    except graphlib.CycleError:
        return False


def test_arrows_point_one_way():
    modules = {name: set(imported(path)) for name, path in MODULES.items()}
    parts = {part_of(name): set() for name in modules if name != "snahelpers"}
    for name, below in modules.items():
        if name != "snahelpers":  # which gathers what is public
            parts[part_of(name)] |= {part_of(other) for other in below} - {part_of(name)}
    assert is_one_way(modules) and is_one_way(parts)
    assert not is_one_way(parts | {"errors": {"lab"}})  # lab stands on errors, as all do


@pytest.mark.parametrize("name", MODULES)
def test_what_computes_knows_nothing_of_what_is_shown(name):
    if name != "snahelpers" and part_of(name) not in SHOWS:
        assert not {part_of(other) for other in imported(MODULES[name])} & SHOWS


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_one_room(name):
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= 260


def test_what_is_public_is_there():
    assert sorted(snahelpers.__all__) == sorted(set(snahelpers.__all__))
    assert all(hasattr(snahelpers, name) for name in snahelpers.__all__)
