"""From a program to a supply chain: a value is a good, an operation a firm.

A value that is wanted more than once is not used up by reading it. Either such a good is not rival; or a copier makes
one unit of each copy out of one unit, and a copy for every user is a good like any other. What the program returns is
sold to the outside at a price of 1, and its inputs arrive every tick as supply.
"""

from __future__ import annotations

from itertools import count, islice
from typing import Any

from simulator.programs.program import Program, renamed


def chain_of(program: Program, *, copiers: bool = False) -> dict[str, Any]:
    """Goods, outside price and firms of a program, as plain data of a scenario.

    With `copiers`, firms `copy_of_x` that make `x_1 = x_2 = x` stand in the place of goods that are not rival; the
    outside takes one copy of a result that is read too, under the name that the program gives it.
    """
    reads, shared = program.reads, dict.fromkeys(program.shared)
    taken = set(reads)
    copies = {name: _free(name, len(reads[name]), taken) for name in shared} if copiers else {}
    called: dict[str, str] = {}
    if program.result in copies:
        made = f"{program.result}_made"
        called[program.result] = made if made not in taken else _free(made, 1, taken)[0]
    read_as: list[dict[str, str]] = [{} for _ in program.operations]
    for name, own in copies.items():
        for place, copy in zip(reads[name], own, strict=True):
            read_as[place][name] = copy
    goods: dict[str, Any] = {}
    firms: list[dict[str, str]] = []

    def make(name: str) -> None:
        goods[called.get(name, name)] = {"rival": False} if name in shared and not copiers else {}
        if name in copies:
            made = [*([name] if name in called else []), *copies[name]]
            goods.update({copy: {} for copy in made})
            firms.append({"name": f"copy_of_{name}", "makes": " = ".join([*made, called.get(name, name)])})

    for name in program.inputs:
        make(name)
    for operation, names in zip(program.operations, read_as, strict=True):
        output = called.get(operation.output, operation.output)
        formula = renamed(operation.formula, names)
        firms.append({"name": f"{operation.kind}_{operation.output}", "makes": f"{output} = {formula}"})
        make(operation.output)
    return {"goods": goods, "outside": {program.result: 1.0}, "firms": firms}


def _free(name: str, number: int, taken: set[str]) -> list[str]:
    """The first `number` of `name_1`, `name_2` ... that nothing is called by."""
    names = (f"{name}_{turn}" for turn in count(1))
    found = list(islice((each for each in names if each not in taken), number))
    taken.update(found)
    return found
