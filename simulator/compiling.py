"""What `simulator compile` writes: the scenario of a program, and the program that a scenario's supply chain is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

from simulator.errors import ScenarioError
from simulator.programs.decompile import program_of
from simulator.programs.language import parse
from simulator.programs.program import Program, ProgramError
from simulator.programs.supply_chain import chain_of
from simulator.scenario import load
from simulator.scenario.document import scalar
from simulator.scenario.programs import said
from simulator.scenario.yaml_text import compose, read


class CounterpartError(Exception):
    """A program or a scenario that has no counterpart."""


def as_scenario(program: str, per: str, *, copiers: bool = False) -> str:
    """The text of a scenario for a program: a file's (alone, or in a scenario), or the one given.

    Values that are read more than once are not rival, or go through `copiers`. Raises `CounterpartError`.
    """
    text, supply, name, file = _given(program)
    try:
        return _scenario(parse(text, per=per), text, supply, name, per, copiers)
    except ProgramError as error:
        line, column = error.place(text)
        message = f"{file}:{line}:{column}: {error.message}" if file else f"{name}: {said(text, error)}"
        raise CounterpartError(message) from error


def _given(program: str) -> tuple[str, dict[str, Any], str, str]:
    """A program's text, what is supplied, what it is called, and the file that holds nothing else, if one does."""
    if "\n" in program or ("=" in program and not os.path.exists(program)) or program.startswith("return "):
        return program, {}, "program", ""
    if not program.strip():
        raise CounterpartError("found an empty program; expected lines such as 'c = a*b + 1', or a file with them")
    path = Path(program)
    try:
        text = read(program)
    except ScenarioError as error:
        raise CounterpartError(str(error).replace("a scenario file (YAML)", "a program, or a file with one")) from error
    if path.suffix not in (".yaml", ".yml"):
        return text, {}, path.stem, program
    document = compose(text, program)
    if document.faults:
        raise CounterpartError(str(document.problem(document.faults[0])))
    within = ("program", "text") if isinstance(document.data.get("program"), dict) else ("program",)
    lines, supply = document.at(within), document.at(("supply",))
    if not isinstance(lines, str):
        raise CounterpartError(f"{program}: found no program; expected a scenario with program: lines, or a program")
    return lines, cast("dict[str, Any]", supply) if isinstance(supply, dict) else {}, path.stem, ""


def _scenario(program: Program, text: str, supply: dict[str, Any], name: str, per: str, copiers: bool) -> str:
    chain = chain_of(program, copiers=copiers)
    unread = [good for good in supply if good not in program.inputs]
    if unread:
        raise CounterpartError(f"{name}: found supply of {unread[0]}, which the program does not read; expected none")
    supply = {**program.given, **supply}
    comment = [f"# {name} as a supply chain: a firm for each {per}, a good for each value.", "#"]
    comment += [f"#   {line}".rstrip() for line in text.strip().splitlines()]
    whole = "   # rival: false: read more than once, and whole each time"
    about = whole if any(chain["goods"].values()) else ""
    goods = [f"  {_key(good)}: {{{'rival: false' if given else ''}}}" for good, given in chain["goods"].items()]
    inputs = ", ".join(f"{_key(good)}: {supply.get(good, 1)}" for good in program.inputs)
    firms = [f'  - {{name: {firm["name"]}, makes: "{firm["makes"]}"}}' for firm in chain["firms"]]
    known = "" if set(program.inputs) <= set(supply) else "   # the program's inputs: write their values here"
    depth = program.depth_with(program.shared) if copiers else program.depth
    lines = [
        *comment,
        f"goods:{about}",
        *goods,
        f"outside: {{{_key(program.result)}: 1}}",
        *([f"supply: {{{inputs}}}{known}"] if inputs else []),
        "firms:",
        *firms,
        "scheduler: {kind: marginal_bids, rate: 1}",
        f"run: {{ticks: {2 * depth + 10}, tolerance: 1e-9}}",
    ]
    return "\n".join(lines) + "\n"


def _key(good: str) -> str:
    """A good's name as a key of YAML, where some words are no text."""
    return good if isinstance(scalar(good), str) else f'"{good}"'


def as_program(scenario: str) -> str:
    """The program that a scenario's supply chain is. Raises `CounterpartError`."""
    try:
        return program_of(load(scenario).resolved).text
    except ScenarioError as error:
        raise CounterpartError(str(error)) from error
    except ValueError as error:
        raise CounterpartError(f"{scenario}: {error}") from error
