"""From a supply chain to a program: what its firms make of its supplies is worth, as assignments.

A good that is not rival is a value that several lines read, and so is one that a copier copies. A rival good with
several users is shared out: how much each user but the last gets is an input of the program, an allocation, and the
last gets what is left. What the outside takes of a good is one of its uses, the last; its amount may be negative: then
it is bought. At the market's equilibrium the result's derivative by every allocation is 0 (its two ends are worth the
same), so that the derivatives by the supplies are the market's prices.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import Any

from simulator.formulas.formula import parse, sides
from simulator.programs.names import NAME
from simulator.programs.program import Operation, Program, renamed
from simulator.programs.values import number

_SOLD = -1
"""Stands for the outside among the places of a good's users."""


def program_of(scenario: Mapping[str, Any]) -> Program:
    """The program that the supply chain of a resolved scenario is. Raises ValueError where it is none."""
    return _Decompiler(scenario).program()


@dataclass(frozen=True)
class _Recipe:
    """What a firm does: one unit of each of the goods `makes` per unit of the formula's value."""

    firm: str
    makes: tuple[str, ...]
    formula: str
    inputs: tuple[str, ...]

    @property
    def copies(self) -> bool:
        """Whether the goods made are the one used, by other names."""
        return len(self.makes) > 1 and self.inputs == (self.formula,)


class _Decompiler:
    """A supply chain being written down as a program."""

    def __init__(self, scenario: Mapping[str, Any]) -> None:
        if "learning" in scenario:
            raise ValueError("found learning; expected a supply chain of firms, and goods with an outside price")
        for key in ("consumers", "taxes"):
            if scenario.get(key):
                expected = "expected a supply chain of firms alone, and goods with an outside price"
                raise ValueError(f"found {key}; {expected}")
        self.goods: Mapping[str, Any] = scenario["goods"]
        self.outside: Mapping[str, float] = scenario.get("outside", {})
        self.supply: Mapping[str, float] = scenario.get("supply", {})
        # Firms that bid have the whole of every good, as the market hands it to them.
        self.bidding = scenario["scheduler"]["kind"] == "marginal_bids"
        self.recipes = [_recipe(firm) for firm in scenario.get("firms", ())]
        self.users: dict[str, list[int]] = {}
        self.makers: dict[str, list[int]] = {}
        for place, recipe in enumerate(self.recipes):
            for good in recipe.inputs:
                self.users.setdefault(good, []).append(place)
            for good in recipe.makes:
                self.makers.setdefault(good, []).append(place)
        self.check_goods()
        self.taken = set(self.goods)
        self.parts: dict[str, list[str]] = {}
        """What of each good there is so far, by maker."""
        self.called: dict[str, str] = {}
        """The value that each good is, once all of it is there."""
        self.shared_out: dict[str, dict[int, str]] = {}
        self.allocations: list[str] = []
        self.operations: list[Operation] = []

    def check_goods(self) -> None:
        if not self.outside:
            raise ValueError("found no good with an outside price; expected outside: {result: 1}")
        for good, market in self.goods.items():
            if market.get("cap") is not None:
                raise ValueError(f"found a cap on the price of {good}; expected prices that markets find")
            if market.get("fixed_price") is not None:
                raise ValueError(f"found {good}, whose price is fixed; expected prices that markets find")
            if not (good in self.users or good in self.makers or good in self.outside):
                continue
            if not NAME.fullmatch(good) or keyword.iskeyword(good):
                raise ValueError(f"found a good called {good}, which no value can be; expected another name")
            if good in self.users and not self.sources(good) and not (good in self.outside and self.is_rival(good)):
                raise ValueError(f"found {good}, which nobody makes or supplies; expected a firm that makes it")

    def is_rival(self, good: str) -> bool:
        return not self.bidding and bool(self.goods[good].get("rival", True))

    def sources(self, good: str) -> int:
        """From how many sides a good comes."""
        return len(self.makers.get(good, ())) + (good in self.supply)

    def program(self) -> Program:
        supplies: dict[str, float] = {}
        for good in self.goods:
            if good in self.supply and (good in self.users or good in self.outside):
                name = self.free(f"{good}_supplied") if good in self.makers else good
                supplies[name] = self.supply[good]
                self.arrive(good, name)
        for place in self.order():
            self.write(place)
        result = self.result()
        return Program(
            (*supplies, *self.allocations), tuple(self.operations), result, supplies, tuple(self.allocations)
        )

    def order(self) -> Iterator[int]:
        """The places of the firms, each after those it buys of, else as they stand."""
        sorter = TopologicalSorter(
            {
                place: [maker for good in recipe.inputs for maker in self.makers.get(good, ())]
                for place, recipe in enumerate(self.recipes)
            }
        )
        try:
            sorter.prepare()
        except CycleError as error:
            good = self.recipes[error.args[1][0]].makes[0]
            raise ValueError(f"found {good}, which is needed to make itself; expected no loops") from None
        ready: list[int] = []
        while sorter.is_active():
            for place in sorter.get_ready():
                heappush(ready, place)
            place = heappop(ready)
            yield place
            sorter.done(place)

    def write(self, place: int) -> None:
        """A firm's line, and those that must stand before it."""
        recipe = self.recipes[place]
        first = recipe.makes[0]
        names = {good: self.share(good, place) for good in recipe.inputs}
        if recipe.copies:
            made = names[recipe.formula]
        else:
            made = first if self.sources(first) == 1 else self.free(f"{first}_of_{recipe.firm}")
            inputs = tuple(dict.fromkeys(names[good] for good in recipe.inputs))
            self.operations.append(Operation(made, renamed(recipe.formula, names), inputs, recipe.firm))
        for good in recipe.makes:
            self.arrive(good, made)

    def arrive(self, good: str, name: str) -> None:
        """A part of a good is there; what comes from several sides adds up."""
        parts = self.parts.setdefault(good, [])
        parts.append(name)
        if len(parts) == self.sources(good):
            self.called[good] = name if len(parts) == 1 else self.emit(good, " + ".join(parts), parts)

    def share(self, good: str, place: int) -> str:
        """The value that is what a user has of a good."""
        users = [*self.users.get(good, ()), *([_SOLD] if good in self.outside else [])]
        if len(users) == 1 or not self.is_rival(good):
            return self.called[good]
        if good not in self.shared_out:
            given = {user: self.free(f"{good}_for_{self.recipes[user].firm}") for user in users[:-1]}
            self.allocations += given.values()
            last = "sold" if users[-1] == _SOLD else f"for_{self.recipes[users[-1]].firm}"
            whole = [self.called[good]] if good in self.called else []
            sign, name = (" - ", f"{good}_{last}") if whole else (" + ", f"{good}_bought")
            parts = [*whole, *given.values()]
            rest = parts[0] if len(parts) == 1 else self.emit(self.free(name), sign.join(parts), parts)
            self.shared_out[good] = {**given, users[-1]: rest}
        return self.shared_out[good][place]

    def result(self) -> str:
        """The value of what is sold to the outside, less that of what is bought there."""
        terms: list[str] = []
        names: list[str] = []
        for good, price in self.outside.items():
            if good not in self.called and good not in self.users:
                continue
            name = self.share(good, _SOLD)
            term = name if price == 1 else f"{number(price).formula}*{name}"
            sign = "" if not terms else " + "
            if good not in self.called:
                sign = " - " if terms else "-"
            terms.append(f"{sign}{term}")
            names.append(name)
        if not terms:
            raise ValueError(f"found nobody who makes {next(iter(self.outside))}; expected a firm that does")
        if "".join(terms) == names[0] and any(operation.output == names[0] for operation in self.operations):
            return names[0]
        return self.emit(self.free("value"), "".join(terms), names)

    def emit(self, name: str, formula: str, inputs: Iterable[str]) -> str:
        self.operations.append(Operation(name, formula, tuple(dict.fromkeys(inputs)), name))
        return name

    def free(self, name: str) -> str:
        """The name, its signs made `_`, or the first of `name_2`, `name_3` ... that nothing else is called by."""
        plain = found = re.sub(r"\W", "_", name)
        turn = 1
        while found in self.taken:
            turn += 1
            found = f"{plain}_{turn}"
        self.taken.add(found)
        return found


def _recipe(firm: Mapping[str, Any]) -> _Recipe:
    """What a firm of a resolved scenario does, or several alike do together. Raises ValueError where no line can say
    it.
    """
    name: str = firm["name"]
    if "makes" in firm:
        makes, formula = sides(firm["makes"])
        formula = formula.strip()
        productivity = firm.get("productivity", 1)
    else:
        makes, formula, productivity = _by_kind(name, firm["technology"])
    if not isinstance(productivity, int | float):
        raise ValueError(f"found {name}, whose productivity is drawn; expected a number")
    inputs = parse(formula).variables
    many: int = firm.get("count", 1)
    factor = productivity * many
    if many != 1:
        formula = renamed(formula, {good: f"({good}/{many})" for good in inputs})
    if factor != 1:
        formula = f"{number(float(factor)).formula}*({formula})"
    return _Recipe(name, tuple(makes), formula, inputs)


def _by_kind(name: str, technology: Mapping[str, Any]) -> tuple[list[str], str, Any]:
    """Output, formula and productivity of a technology by its kind."""
    ((kind, given),) = technology.items()
    if kind not in ("power", "cobb_douglas"):
        raise ValueError(
            f"found {name} with a technology of the kind {kind}; expected makes: a formula, power or cobb_douglas"
        )
    exponents = given["inputs"]
    if not all(isinstance(exponent, int | float) for exponent in exponents.values()):
        raise ValueError(f"found {name}, whose exponents are drawn; expected numbers")
    powers = [good if exponent == 1 else f"{good}^{exponent!r}" for good, exponent in exponents.items()]
    return [given["output"]], "*".join(powers), given.get("productivity", 1)
