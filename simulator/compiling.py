"""What `simulator compile` writes: the scenario of a program, and the program that a scenario's supply chain is."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from simulator.errors import ScenarioError
from simulator.programs.decompile import program_of
from simulator.programs.language import parse
from simulator.programs.program import Program, ProgramError
from simulator.programs.supply_chain import chain_of
from simulator.scenario import load
from simulator.scenario.complaints import validate_part
from simulator.scenario.document import Document, scalar
from simulator.scenario.origin_keys import ProgramText
from simulator.scenario.programs import fault_in, said
from simulator.scenario.yaml_text import compose, read
from simulator.slips import meant


class CounterpartError(Exception):
    """A program or a scenario that has no counterpart."""


class _Given(NamedTuple):
    """A program's text and how it is read, what is supplied, what it is called, and the file it fills, if one."""

    text: str
    name: str = "program"
    file: str = ""
    per: str = "operation"
    copiers: bool = False
    supply: Mapping[str, Any] = MappingProxyType({})
    document: Document | None = None


def as_scenario(program: str, per: str | None = None, *, copiers: bool = False) -> str:
    """The text of a scenario for a program: a file's (alone, or in a scenario), or the one given.

    What a scenario says of `per` and `copiers` holds unless it is said here. Values that are read more than once are
    not rival, or go through `copiers`. Raises `CounterpartError`.
    """
    given = _given(program)
    given = given._replace(per=per or given.per, copiers=copiers or given.copiers)
    try:
        return _scenario(parse(given.text, per=given.per), given)
    except ProgramError as error:
        if given.document:
            problem = given.document.problem(fault_in(given.document, given.text, error))
            raise CounterpartError(str(problem)) from error
        line, column = error.place(given.text)
        at = f"{given.file}:{line}:{column}: {error.message}"
        raise CounterpartError(at if given.file else f"{given.name}: {said(given.text, error)}") from error


def _given(program: str) -> _Given:
    """The program that an argument is, or names."""
    if not program.strip():
        raise CounterpartError("found an empty program; expected lines such as 'c = a*b + 1', or a file with them")
    if not os.path.exists(program) and re.search(r"[=()\n]|^\S+ \S", program):
        return _Given(program)
    path = Path(program)
    try:
        text = read(program)
    except ScenarioError as error:
        raise CounterpartError(str(error).replace("a scenario file (YAML)", "a program, or a file with one")) from error
    if path.suffix not in (".yaml", ".yml"):
        return _Given(text, path.stem, program)
    document = compose(text, program)
    written, supply = document.data.get("program"), document.at(("supply",))
    read_as: Any = ProgramText.model_construct(text=written)
    if isinstance(written, dict):
        read_as = validate_part(document, "program", ProgramText)
    if document.faults:
        raise CounterpartError(str(document.problem(document.faults[0])))
    if not isinstance(read_as.text, str):
        guess = meant("firms" in document.data and f"simulator compile {program} --from")
        raise CounterpartError(f"{program}: found no program; expected a program, or a scenario with one{guess}")
    supplied = cast("dict[str, Any]", supply) if isinstance(supply, dict) else {}
    return _Given(read_as.text, path.stem, "", read_as.per, read_as.copiers, supplied, document)


def _scenario(program: Program, given: _Given) -> str:
    name, copiers = given.name, given.copiers
    chain = chain_of(program, copiers=copiers)
    unread = [good for good in given.supply if good not in program.inputs]
    if unread:
        raise CounterpartError(f"{name}: found supply of {unread[0]}, which the program does not read; expected none")
    supply = {**program.given, **given.supply}
    comment = [f"# {name} as a supply chain: a firm for each {given.per}, a good for each value.", "#"]
    comment += [f"#   {line}".rstrip() for line in given.text.strip().splitlines()]
    about = "   # rival: false: read more than once, and whole each time" if any(chain["goods"].values()) else ""
    goods = [f"  {_key(good)}: {{{'rival: false' if whole else ''}}}" for good, whole in chain["goods"].items()]
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
