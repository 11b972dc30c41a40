"""Imports go downhill, the judges never see the market they judge, and the front door opens quickly.

Modules are found and parsed, never imported; an import in a function or under `TYPE_CHECKING` counts like any other.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent

# A room imports from itself and from the rooms on the lines above it; rooms on one line do not see each other.
ORDER = (
    {"errors", "extras", "sentences", "slips"},
    {"formulas"},
    {"economics"},
    {"kinds"},
    {"dynamics", "programs"},
    {"references"},
    {"records"},
    {"schedulers"},
    {"scenario"},
    {"finished"},
    {"threads"},
    {"simulation"},
    {"statics", "trial"},
    {"run", "solving"},
    {"tune"},
    {"figures"},
    {"stopping", "terminal"},
    {"pool"},
    {"studies"},
    {"front"},
)
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}

# The only climbs: inside a function, for what is done on request.
LATE_CLIMBS = {("finished", "figures")}

FRONT_MODULES = (
    "__main__",
    "answers",
    "arguments",
    "catalogue",
    "cli",
    "compiling",
    "curves",
    "jobs",
    "options",
    "welfare",
)
FRONT = {"simulator", *(f"simulator.{name}" for name in FRONT_MODULES)}
DOORS = ("simulator", "simulator.cli", "simulator.run", "simulator.scenario")
SLOW = ("matplotlib", "mesa", "pandas", "rich", "scipy")
# A scenario is checked without what runs it, judges it or draws its numbers.
UNCHECKED = ("concurrent", "numpy.ma", "numpy.random", "simulator.references", "simulator.run")


class Import(NamedTuple):
    importer: str
    target: str
    line: int
    late: bool

    def __str__(self) -> str:
        return f"{self.importer}, line {self.line}: imports {self.target}"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted((ROOT / "simulator").rglob("*.py"))}


def room(module: str) -> str:
    """The room of one of our modules."""
    if module in FRONT or module.startswith("simulator.commands"):
        return "front"
    return module.split(".")[1]


def imports_of(module: str) -> Iterator[Import]:
    """Every import in the source; `from package import name` means the module `package.name` where there is one."""
    path = FILES[module]
    package = module.split(".") if path.stem == "__init__" else module.split(".")[:-1]

    def visit(node: ast.AST, late: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno, late)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield Import(module, inner if inner in FILES else source, node.lineno, late)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), late=False)


IMPORTS = {module: tuple(imports_of(module)) for module in FILES}


def top(target: str) -> str:
    return target.partition(".")[0]


def reach(module: str) -> set[str]:
    """The modules of ours that a module imports, and those that they import."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        for found in IMPORTS[waiting.pop()]:
            if found.target in FILES and found.target not in seen:
                seen.add(found.target)
                waiting.append(found.target)
    return seen


def goes_downhill(found: Import) -> bool:
    here, there = room(found.importer), room(found.target)
    return here == there or LEVEL[there] < LEVEL[here] or (found.late and (here, there) in LATE_CLIMBS)


@pytest.mark.parametrize("module", FILES)
def test_the_module_is_in_a_room(module: str) -> None:
    assert room(module) in LEVEL


@pytest.mark.parametrize("module", FILES)
def test_what_is_imported_of_ours_exists(module: str) -> None:
    assert not [
        str(found) for found in IMPORTS[module] if top(found.target) == "simulator" and found.target not in FILES
    ]


@pytest.mark.parametrize("module", FILES)
def test_imports_go_downhill(module: str) -> None:
    ours = [found for found in IMPORTS[module] if found.target in FILES]
    assert not [str(found) for found in ours if not goes_downhill(found)]


def test_no_files_import_each_other_in_a_circle() -> None:
    needs = {module: {found.target for found in IMPORTS[module] if found.target in FILES} for module in FILES}
    TopologicalSorter(needs).prepare()


@pytest.mark.parametrize("module", [module for module in FILES if room(module) in {"formulas", "economics"}])
def test_economics_is_pure(module: str) -> None:
    assert not [
        str(found) for found in IMPORTS[module] if top(found.target) in {"matplotlib", "mesa", "pandas", "rich"}
    ]
    assert not [str(found) for found in IMPORTS[module] if top(found.target) == "scipy" and not found.late]


@pytest.mark.parametrize("module", [module for module in FILES if room(module) == "references"])
def test_the_judges_do_not_see_the_market(module: str) -> None:
    assert not reach(module) & {
        "simulator.schedulers.tatonnement",
        "simulator.dynamics.market",
        "simulator.dynamics.trading",
    }
    assert not [str(found) for found in IMPORTS[module] if top(found.target) == "mesa"]


@pytest.mark.parametrize("module", [module for module in FILES if room(module) == "figures"])
def test_figures_draw_from_what_was_written(module: str) -> None:
    assert {room(other) for other in reach(module)} <= {"errors", "extras", "sentences", "figures"}
    assert not [str(found) for found in IMPORTS[module] if top(found.target) == "mesa"]


@pytest.mark.parametrize("module", [module for module in DOORS if module in FILES])
def test_the_front_door_opens_quickly(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(loaded.stdout.split()) & set(SLOW)


def test_a_scenario_is_checked_without_what_runs_it() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "simulator", "check", "scenarios/tupperware.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "simulator.scenario" in loaded
    assert not loaded & {*SLOW, *UNCHECKED}
