"""From a program to a supply chain and back: a value is a good, an operation a firm.

A value that several operations read is not used up by reading it: such a good is not rival. What the program returns is
sold to the outside at a price of 1, and its inputs arrive every tick as supply.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.economics.formula import parse
from simulator.programs.program import Operation, Program


def chain_of(program: Program) -> dict[str, Any]:
    """Goods, outside price and firms of a program, as plain data of a scenario."""
    reads = program.reads
    goods = {name: {"rival": False} if len(users) > 1 else {} for name, users in reads.items()}
    firms = [
        {"name": f"{operation.kind}_{operation.output}", "makes": f"{operation.output} = {operation.formula}"}
        for operation in program.operations
    ]
    return {"goods": goods, "outside": {program.result: 1.0}, "firms": firms}


def program_of(scenario: Mapping[str, Any]) -> Program:
    """The program of a supply chain that makes one good for the outside. Raises ValueError where it has none."""
    outside = scenario.get("outside") or {}
    if len(outside) != 1:
        raise ValueError(f"found {len(outside)} goods with an outside price; expected one, the program's result")
    if scenario.get("consumers"):
        raise ValueError("found consumers; expected a supply chain of firms alone")
    (result,) = outside
    waiting: dict[str, Operation] = {}
    for firm in scenario.get("firms") or ():
        if "makes" not in firm or firm.get("count", 1) != 1 or firm.get("productivity", 1) != 1:
            raise ValueError(f"found {firm['name']}, no single firm with a formula alone; expected makes: y = ...")
        output, _, text = firm["makes"].partition("=")
        output, formula = output.strip(), parse(text)
        if output in waiting:
            raise ValueError(f"found a second firm that makes {output}; expected one for each good")
        waiting[output] = Operation(output, formula.text.strip(), formula.variables, firm["name"])
    users: dict[str, int] = {}
    for operation in waiting.values():
        for name in operation.inputs:
            users[name] = users.get(name, 0) + 1
    goods = scenario["goods"]
    markets: Mapping[str, Any] = goods if isinstance(goods, Mapping) else {}
    shared = [name for name, number in users.items() if number > 1 and (markets.get(name) or {}).get("rival", True)]
    if shared:
        raise ValueError(f"found {shared[0]}, which several firms use up; expected rival: false, or one user")
    inputs = [name for name in goods if name not in waiting and name in users]
    ordered: list[Operation] = []
    known = set(inputs)
    while waiting:
        left = len(waiting)
        for name in list(waiting):
            if known.issuperset(waiting[name].inputs):
                ordered.append(waiting.pop(name))
                known.add(name)
        if len(waiting) == left:
            raise ValueError(f"found {next(iter(waiting))}, which is needed to make itself; expected no loops")
    if result not in known:
        raise ValueError(f"found nobody who makes {result}; expected a firm that does")
    return Program(tuple(inputs), tuple(ordered), result)
