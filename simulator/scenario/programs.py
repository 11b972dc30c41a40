"""Programs in scenarios: a program becomes goods and firms, before anything else is asked of it; and the way back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from simulator.errors import ScenarioError
from simulator.scenario.document import Document, Fault, scalar
from simulator.scenario.yaml_text import compose, read
from simulator.schedulers.table import plans

if TYPE_CHECKING:
    from simulator.programs.program import Program, ProgramError

INSTEAD = ("goods", "outside", "firms")
"""What a program stands for."""
OF_GOODS = (*INSTEAD, "numeraire", "supply", "initial_prices", "consumers", "shocks")
"""What cannot be judged where the goods are not known."""


def expand_program(document: Document) -> None:
    """Put goods, outside price and firms in the place of a document's `program`; what is wrong with it is a fault."""
    if "program" not in document.data or "learning" in document.data:
        # Beside learning there is no place for a program, and that is said there.
        return
    from simulator.programs.language import parse
    from simulator.programs.program import ProgramError
    from simulator.programs.supply_chain import chain_of
    from simulator.scenario.complaints import validate_part
    from simulator.scenario.schema import ProgramText

    given = document.data["program"]
    before = len(document.faults)
    beside = [key for key in INSTEAD if key in document.data]
    document.faults += [Fault((key,), f"found {key} beside program; expected one of them", "key") for key in beside]
    chain: dict[str, Any] = {}
    alone = ProgramText.model_construct(text=given)
    program = validate_part(document, "program", ProgramText) if isinstance(given, dict) else alone
    if program is not None and not isinstance(program.text, str):
        document.faults.append(Fault(("program",), "found no text; expected lines such as c = a*b + 1"))
    elif program is not None:
        scheduler = document.data.get("scheduler")
        if program.copiers and plans(cast("Any", scheduler).get("kind") if isinstance(scheduler, dict) else None):
            # A copier has constant returns: there is no best plan for it.
            message = "found copiers where firms plan; expected scheduler: {kind: marginal_bids}, or goods not rival"
            document.faults.append(Fault(("program", "copiers"), message))
        try:
            parsed = parse(program.text, per=program.per)
            chain = chain_of(parsed, copiers=program.copiers)
            supply = document.data.get("supply", {})
            if parsed.given and isinstance(supply, dict):
                document.data["supply"] = {**parsed.given, **cast("dict[str, Any]", supply)}
        except ProgramError as error:
            place = ("program", "text") if isinstance(given, dict) else ("program",)
            document.faults.append(Fault(place, _said(program.text, error)))
    rest = {key: value for key, value in document.data.items() if key != "program"}
    if len(document.faults) > before:
        # In the place of what nobody can know, so that what is wrong with the rest is said too.
        chain = {**chain_of(parse("result = sqrt(x)")), "supply": {"x": 1.0}}
        rest = {key: value for key, value in rest.items() if key not in OF_GOODS}
    document.data = {**chain, **rest}


class CounterpartError(Exception):
    """A program or a scenario that has no counterpart."""


def _said(text: str, error: ProgramError) -> str:
    line, column = error.place(text)
    return f"line {line}, column {column}: {error.message}"


def as_scenario(program: str, per: str, *, copiers: bool = False) -> str:
    """The text of a scenario for a program: a file's (alone, or in a scenario), or the one given.

    Values that are read more than once are not rival, or go through `copiers`. Raises `CounterpartError`.
    """
    from simulator.programs.language import parse
    from simulator.programs.program import ProgramError

    text, supply, name, file = _given(program)
    try:
        return _scenario(parse(text, per=per), text, supply, name, per, copiers)
    except ProgramError as error:
        line, column = error.place(text)
        said = f"{file}:{line}:{column}: {error.message}" if file else f"{name}: {_said(text, error)}"
        raise CounterpartError(said) from error


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
    from simulator.programs.supply_chain import chain_of

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
    from simulator.programs.decompile import program_of
    from simulator.scenario import load

    try:
        return program_of(load(scenario).resolved).text
    except ScenarioError as error:
        raise CounterpartError(str(error)) from error
    except ValueError as error:
        raise CounterpartError(f"{scenario}: {error}") from error
