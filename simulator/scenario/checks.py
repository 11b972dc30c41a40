"""What the values of a scenario contradict among themselves: complaints, each with its place.

The checks work on whatever part of the data is sound, so that one mistake neither hides another nor causes a second
complaint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Any, Literal, cast

from simulator.scenario.complaints import MAX_SUGGESTIONS, sound_part, unknown
from simulator.scenario.document import Document, Fault, Steps, found, quoted, shown
from simulator.scenario.schema import (
    DEFAULT_FLOOR,
    NAME_PATTERN,
    Draw,
    Piece,
    Technology,
    Trade,
    Utility,
)

if TYPE_CHECKING:
    pass

MAX_CELLS = 10_000_000
MAX_DRAWN = 100_000_000
SHARE_ROUNDING = 1e-9
DEFAULT_TICKS = 1000
TABLES_OF_GOODS: tuple[tuple[str, ...], ...] = (
    ("ces", "shares"),
    ("ces", "weights"),
    ("cobb_douglas",),
    ("leontief",),
    ("linear",),
    ("quasilinear", "log"),
    ("quasilinear", "power", "weights"),
    ("quasilinear", "quadratic", "intercept"),
    ("quasilinear", "quadratic", "slope"),
    ("stone_geary", "shares"),
    ("stone_geary", "subsistence"),
)
"""Where utilities name goods."""


def check(document: Document) -> None:
    """Add to the document's faults all that its values contradict among themselves, as far as they can be read."""
    _Checks(document).run()


class _Checks:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.data = sound_part(document)
        self.faulty: set[Steps] = set()
        for fault in document.faults:
            self._mark(fault)
        self.goods = self._declared_goods()
        self.known_goods = set(self.goods or ())
        self.used: set[str] = set()
        self.firms = self._declared_firms()
        self.known_firms = set(self.firms or ())

    def run(self) -> None:
        self._goods()
        self._prices()
        self._names()
        if not self._agents():
            return
        for at, firm in self._entries("firms"):
            self._firm(("firms", at), firm)
        for at, consumer in self._entries("consumers"):
            self._consumer(("consumers", at), consumer)
        self._ownership()
        self._draws()
        self._scheduler()
        self._shocks()
        self._trade()
        self._numeraire()

    def _mark(self, fault: Fault) -> None:
        self.faulty.update(fault.path[:length] for length in range(len(fault.path) + 1))

    def _fault(
        self, path: Steps, message: str, spot: Literal["value", "key", "parent"] = "value", offset: int | None = None
    ) -> None:
        fault = Fault(path, message, spot, offset)
        self._mark(fault)
        self.document.faults.append(fault)

    def _sound(self, *path: str | int) -> bool:
        """Whether nothing at or below a path has been complained about."""
        return path not in self.faulty

    def _mapping(self, *path: str | int) -> dict[str, Any]:
        node: Any = self.data
        for step in path:
            if isinstance(node, list) and isinstance(step, int):
                node = cast("list[Any]", node)[step]
            else:
                node = cast("dict[Any, Any]", node).get(step) if isinstance(node, dict) else None
        return cast("dict[str, Any]", node) if isinstance(node, dict) else {}

    def _entries(self, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """The readable entries of a list, with their places in it."""
        entries = self.data.get(key)
        if isinstance(entries, list):
            for at, entry in enumerate(cast("list[Any]", entries)):
                if isinstance(entry, dict):
                    yield at, cast("dict[str, Any]", entry)

    def _declared_goods(self) -> list[str] | None:
        """The names of the goods, None where they cannot all be read."""
        goods = self.document.data.get("goods")
        if isinstance(goods, dict):
            return list(cast("dict[str, Any]", goods)) or None
        if isinstance(goods, list) and goods:
            names = [name for name in cast("list[Any]", goods) if isinstance(name, str)]
            return names if len(names) == len(cast("list[Any]", goods)) else None
        return None

    def _declared_firms(self) -> list[str] | None:
        entries: Any = self.document.data.get("firms", [])
        if not isinstance(entries, list):
            return None
        names: list[str] = []
        for entry in cast("list[Any]", entries):
            name: Any = cast("dict[str, Any]", entry).get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str):
                return None
            names.append(name)
        return names

    def _good(self, path: Steps, name: str, spot: Literal["value", "key"] = "key", offset: int | None = None) -> bool:
        """Whether a good is declared; complains at the path if it is not."""
        if self.goods is None:
            return False
        if name in self.known_goods:
            return True
        self._fault(path, unknown("good", name, self.goods, len(self.document.faults) < MAX_SUGGESTIONS), spot, offset)
        return False

    def _keys_are_goods(self, *path: str | int) -> None:
        """Complain about the keys of a mapping that are no goods, however wrong their numbers may be."""
        mapping = self.document.at(path)
        for name, value in cast("dict[str, Any]", mapping).items() if isinstance(mapping, dict) else ():
            if name != "dirichlet" or not isinstance(value, dict):
                self._good((*path, name), name)

    def _goods(self) -> None:
        goods = self.data.get("goods")
        if isinstance(goods, list):
            seen: dict[str, int] = {}
            for at, name in enumerate(cast("list[Any]", goods)):
                if isinstance(name, str) and seen.setdefault(name, at) != at:
                    self._fault(("goods", at), f"found the good {quoted(name)} twice; expected it once")
        for key in ("outside", "supply", "initial_prices"):
            self._keys_are_goods(key)
        numeraire = self.data.get("numeraire")
        if isinstance(numeraire, str):
            self._good(("numeraire",), numeraire, "value")

    def _prices(self) -> None:
        outside, initial = self._mapping("outside"), self._mapping("initial_prices")
        numeraire = self.data.get("numeraire")
        multiplicative = self._sound("scheduler", "form") and self._mapping("scheduler").get("form") != "additive"
        for good in dict.fromkeys(self.goods or ()):
            market = self._mapping("goods", good)
            places: dict[Steps, float] = {
                ("goods", good, key): market[key] for key in ("price", "fixed_price") if market.get(key) is not None
            }
            if initial.get(good) is not None:
                places["initial_prices", good] = initial[good]
            first, *others = [*places, None]
            for path in others:
                if path is not None and first is not None:
                    elsewhere = self.document.dotted(first)
                    self._fault(
                        path, f"found a second price of {shown(good)}; expected one (the other is {elsewhere})", "key"
                    )
            if first is None:
                pass
            elif good == numeraire and places[first] != 1:
                self._fault(first, f"found {found(places[first])}; expected 1, the price of the numeraire")
            elif outside.get(good, places[first]) != places[first]:
                self._fault(first, f"found {found(places[first])}; expected the outside price {found(outside[good])}")
            elif places[first] == 0 and multiplicative:
                self._fault(first, "found 0; expected a price above 0 (0 cannot move under multiplicative)")
            elif first[-1] != "fixed_price" and 0 < places[first] < market.get("floor", DEFAULT_FLOOR):
                floor = found(market.get("floor", DEFAULT_FLOOR))
                self._fault(first, f"found {found(places[first])}; expected a price of at least the floor {floor}")
            if good == numeraire and outside.get(good, 1) != 1:
                self._fault(("outside", good), f"found {found(outside[good])}; expected 1, the price of the numeraire")

    def _names(self) -> None:
        seen: dict[str, str] = {}
        for key in ("firms", "consumers"):
            for at, entry in self._entries(key):
                name = entry.get("name")
                if isinstance(name, str) and seen.setdefault(name, f"{key}[{at}]") != f"{key}[{at}]":
                    message = (
                        f"found the name {quoted(name)} twice; expected one name per agent (the other is {seen[name]})"
                    )
                    self._fault((key, at, "name"), message)

    def _agents(self) -> bool:
        """Whether there are few enough agents to go on."""
        lists = [self.document.data.get(key, []) for key in ("firms", "consumers")]
        if not any(lists):
            if not any(len(fault.path) == 1 for fault in self.document.faults if fault.path != ("goods",)):
                self._fault((), "found neither firms nor consumers; expected somebody who trades")
        elif all(isinstance(entries, list) for entries in lists):
            firms, consumers = (len(cast("list[Any]", entries)) for entries in lists)
            cells = max(len(self.goods or ()) * (firms + consumers), firms * consumers)
            if cells > MAX_CELLS:
                self._fault((), f"found {cells:,} pairs of agents and goods; expected at most {MAX_CELLS:,}")
                return False
        return True

    def _firm(self, path: Steps, firm: dict[str, Any]) -> None:
        ways = [key for key in ("makes", "technology") if key in self.document_entry(path)]
        if len(ways) != 1:
            found_ways = "both makes and technology" if ways else "neither makes nor technology"
            self._fault(path, f"found {found_ways}; expected one of them")
            return
        if ways == ["makes"]:
            self._formula_of_firm((*path, "makes"), firm.get("makes"))
            return
        if "productivity" in firm:
            self._fault(
                (*path, "productivity"),
                "found productivity beside technology; expected it within the technology",
                "key",
            )
        technology = firm.get("technology")
        if not isinstance(technology, dict) or not self._sound(*path, "technology"):
            return
        kinds = cast("dict[str, Any]", technology)
        if self._one_kind((*path, "technology"), kinds, list(Technology.model_fields)):
            ((kind, parameters),) = kinds.items()
            if isinstance(parameters, dict):
                self._technology((*path, "technology", kind), kind, cast("dict[str, Any]", parameters))

    def document_entry(self, path: Steps) -> dict[str, Any]:
        """An entry as it was written."""
        entry = self.document.at(path)
        return cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}

    def _technology(self, path: Steps, kind: str, given: dict[str, Any]) -> None:
        output = given.get("output")
        if isinstance(output, str) and self._good((*path, "output"), output, "value"):
            self.used.add(output)
        if kind == "ces":
            if self._ces_convention(path, given, ("inputs", "shares", "weights"), ("returns_to_scale",)):
                self._tree(path, given, set())
        else:
            self._keys_are_goods(*path, "inputs")
            self.used.update(given.get("inputs") or {})
        if kind == "power" and len(given.get("inputs") or {}) > 1:
            self._fault((*path, "inputs"), "found several inputs; expected one (cobb_douglas takes several)")
        if not self._sound(*path):
            return
        if kind in ("power", "cobb_douglas"):
            total = sum(value for value in given["inputs"].values() if not isinstance(value, dict))
            if total >= 1:
                advice = "expected less than 1: returns that diminish, or no best response exists"
                self._fault((*path, "inputs"), f"found exponents that sum to {total:.6g}; {advice}")
        else:
            returns = given.get("returns_to_scale")
            if not isinstance(returns, dict) and returns is not None and returns >= 1:
                advice = "expected less than 1: returns that diminish, or no best response exists"
                self._fault((*path, "returns_to_scale"), f"found {found(returns)}; {advice}")

    def _formula_of_firm(self, path: Steps, makes: object) -> None:
        if not isinstance(makes, str):
            return
        from simulator.economics.concavity import judge
        from simulator.economics.formula import FormulaError, parse

        left, equals, right = makes.partition("=")
        good = left.strip()
        if not equals or not re.fullmatch(NAME_PATTERN, good):
            self._fault(
                path, f"found {quoted(good if equals else makes)}; expected 'good = formula' with one good on the left"
            )
            return
        begin = len(left) + 1
        self._good(path, good, "value", left.index(good))
        try:
            formula = parse(right)
        except FormulaError as error:
            self._fault(path, error.message, offset=begin + error.offset)
            return
        if not formula.variables:
            message = (
                f"found a formula without inputs; expected at least one good (a constant flow is supply: {{{good}: 1}})"
            )
            self._fault(path, message, offset=begin)
            return
        self.used.update((good, *formula.variables))
        known = [
            self._good(path, name, "value", begin + _position(right, name)) or self.goods is None
            for name in formula.variables
        ]
        if all(known):
            verdict = judge(formula, self._scale)
            if not verdict.strictly_concave:
                advice = "expected returns that diminish in all inputs jointly, such as y = x^0.5"
                self._fault(path, f"{verdict.sentence.rstrip('.')}; {advice}", offset=begin)

    @cached_property
    def _scale(self) -> float:
        """The size of a typical flow: the median of what is supplied and owned."""
        flows = [
            self._mapping("supply"),
            *(self._mapping("consumers", at, "endowment") for at, _ in self._entries("consumers")),
        ]
        positive = [float(a) for flow in flows for a in flow.values() if not isinstance(a, dict) and a > 0]
        return median(positive) if positive else 1.0

    def _consumer(self, path: Steps, consumer: dict[str, Any]) -> None:
        self._keys_are_goods(*path, "endowment")
        utility = consumer.get("utility")
        if isinstance(utility, dict):
            self._utility((*path, "utility"), cast("dict[str, Any]", utility))
        if not self._sound(*path):
            return
        budget = consumer.get("budget")
        unlimited = budget is None and "quasilinear" in self._mapping(*path, "utility")
        owned = [*self._mapping(*path, "endowment").values(), *self._mapping(*path, "owns").values(), budget or 0]
        if not unlimited and not any(amount == "equal" or _positive(amount) for amount in owned):
            self._fault(path, "found nothing to spend; expected an endowment, a budget or owns")

    def _utility(self, path: Steps, utility: dict[str, Any]) -> None:
        sound = self._sound(*path)
        for kind, _ in _wants(utility):
            if kind[0] != "ces":
                self._keys_are_goods(*path, *kind)
        if not sound:
            return
        if not self._one_kind(path, utility, list(Utility.model_fields)):
            return
        inner: Any = utility.get("quasilinear", utility.get("ces"))
        kinds = ["log", "power", "quadratic"]
        if "quasilinear" in utility and not self._one_kind((*path, "quasilinear"), inner, kinds):
            return
        if "ces" in utility:
            if self._ces_convention((*path, "ces"), inner, ("shares", "weights")):
                self._tree((*path, "ces"), inner, set())
            return
        if "formula" in utility:
            self._formula_of_utility((*path, "formula"), utility["formula"])
            return
        for kind, wants in _wants(utility):
            self._wanted((*path, *kind), wants, kind[-1] not in ("subsistence", "slope"))
        if "stone_geary" in utility:
            shares, subsistence = utility["stone_geary"]["shares"], utility["stone_geary"]["subsistence"]
            for good, amount in subsistence.items():
                if _positive(amount) and not _positive(shares.get("dirichlet", shares).get(good, 0)):
                    found_good = f"found subsistence of {shown(good)}, which has no share"
                    self._fault(
                        (*path, "stone_geary", "subsistence", good), f"{found_good}; expected a share of it too"
                    )
        quadratic = (utility.get("quasilinear") or {}).get("quadratic")
        if quadratic is not None and set(quadratic["intercept"]) != set(quadratic["slope"]):
            message = "found different goods in intercept and slope; expected the same in both"
            self._fault((*path, "quasilinear", "quadratic"), message)

    def _wanted(self, path: Steps, wants: dict[str, Any], some: bool, power: float = 1.0) -> None:
        """Complain if nothing is wanted, or if amounts cannot be added up."""
        if some and not any(map(_positive, wants.values())):
            self._fault(path, "found no good that is wanted; expected at least one number above 0")
        elif some and not _sums([a for a in wants.values() if not isinstance(a, dict)], power):
            self._fault(path, "found numbers too large or too small to add up; expected moderate ones")

    def _formula_of_utility(self, path: Steps, text: str) -> None:
        from simulator.economics.formula import FormulaError, parse
        from simulator.economics.formula_utility import unfit

        try:
            formula = parse(text)
        except FormulaError as error:
            self._fault(path, error.message, offset=error.offset)
            return
        if not formula.variables:
            self._fault(path, "found a formula without goods; expected at least one")
            return
        self.used.update(formula.variables)
        known = [
            self._good(path, name, "value", _position(text, name)) or self.goods is None for name in formula.variables
        ]
        complaint = unfit(formula, self._scale) if all(known) else None
        if complaint is not None:
            self._fault(path, complaint)

    def _tree(self, path: Steps, given: dict[str, Any], seen: set[str]) -> None:
        """The names in a CES and its nests: goods, each once, or nests, each used."""
        nests: dict[str, Any] = given.get("nests") or {}
        key = next(key for key in ("weights", "shares", "inputs") if key in given)
        table: dict[str, Any] = given[key]
        names = table.get("dirichlet") if isinstance(table.get("dirichlet"), dict) else table
        steps = (*path, key, "dirichlet") if names is not table else (*path, key)
        for name in names or {}:
            if name in nests:
                continue
            if self._good((*steps, name), name):
                self.used.add(name)
                if name in seen:
                    message = f"found the good {shown(name)} twice in a tree; expected it once"
                    self._fault((*steps, name), message, "key")
                seen.add(name)
        if self._sound(*path, key):
            drawn = any(isinstance(given.get(kind), dict) for kind in ("elasticity", "rho"))
            power = 1.0 if drawn or key != "weights" else elasticity_of(given)
            self._wanted((*path, key), cast("dict[str, Any]", names or {}), True, power)
        for name, nest in nests.items():
            below = (*path, "nests", name)
            if name in self.known_goods:
                self._fault(below, f"found {shown(name)}, which is a good; expected a name of its own", "key")
            elif name not in (names or {}):
                self._fault(below, f"found a nest that no share names; expected {shown(name)} among {key}", "key")
            elif isinstance(nest, dict) and self._sound(*below):
                inner = cast("dict[str, Any]", nest)
                if self._ces_convention(below, inner, ("shares", "weights")):
                    self._tree(below, inner, seen)

    def _one_kind(self, path: Steps, choice: dict[str, Any], kinds: list[str]) -> bool:
        if len(choice) == 1:
            return True
        given = " and ".join(choice) if choice else "an empty mapping"
        self._fault(path, f"found {given}; expected {'one of ' if len(kinds) > 1 else ''}{', '.join(kinds)}")
        return False

    def _ces_convention(
        self, path: Steps, ces: dict[str, Any], tables: tuple[str, ...], more: tuple[str, ...] = ()
    ) -> bool:
        """Whether a CES is given by one of its conventions; complains if not."""
        how = [key for key in ces if key in ("elasticity", "rho", *tables)]
        allowed = [("elasticity", table) for table in tables] + [("rho", "weights")]
        if any(set(how) == set(pair) for pair in allowed):
            return True
        if not self._sound(*path):
            return False
        given = ", ".join(how) or "an empty mapping"
        conventions = [f"{{{', '.join(pair)}}}" for pair in allowed]
        self._fault(path, f"found {given}; expected {', '.join(conventions[:-1])} or {conventions[-1]}")
        return False

    def _ownership(self) -> None:
        totals: dict[str, float] = {}
        for at, _ in self._entries("consumers"):
            for firm, share in self._mapping("consumers", at, "owns").items():
                path = ("consumers", at, "owns", firm)
                if self.firms is not None and firm not in self.known_firms:
                    self._fault(
                        path, unknown("firm", firm, self.firms, len(self.document.faults) < MAX_SUGGESTIONS), "key"
                    )
                elif share != "equal" and not isinstance(share, dict):
                    before = totals.get(firm, 0.0)
                    totals[firm] = before + share
                    if before <= 1 + SHARE_ROUNDING < totals[firm]:
                        total = found(round(totals[firm], 9))
                        self._fault(path, f"found shares of {shown(firm)} that sum to {total}; expected at most 1")

    def _scheduler(self) -> None:
        scheduler = self._mapping("scheduler")
        pieces, rule = scheduler.get("with"), scheduler.get("rule")
        scaling, scales = {"relative", "own_slope"}, 0
        if isinstance(rule, str):
            self._recipe(rule, scheduler)
        for at, piece in enumerate(cast("list[Any]", pieces)) if isinstance(pieces, list) else ():
            path = ("scheduler", "with", at)
            if isinstance(piece, dict) and self._sound(*path):
                self._one_kind(path, cast("dict[str, Any]", piece), list(Piece.model_fields))
            relative = piece == "relative" or (isinstance(piece, dict) and "relative" in piece)
            scales += piece in ("relative", "own_slope") or (isinstance(piece, dict) and bool(scaling & set(piece)))
            if scales == 2:
                scales += 1
                self._fault(path, "found a second of relative and own_slope; expected one of them")
            if relative and self._sound("scheduler", "form") and scheduler.get("form") != "additive":
                self._fault(
                    path, "found relative; expected it under additive only (multiplicative already contains it)"
                )

    def _recipe(self, rule: str, scheduler: dict[str, Any]) -> None:
        from simulator.dynamics.price_rules import RECIPES

        if rule not in RECIPES:
            self._fault(("scheduler", "rule"), unknown("rule", rule, RECIPES))
        for key in ("form", "with"):
            if key in scheduler:
                message = f"found {key} beside rule; expected one of them: a rule has a form and pieces of its own"
                self._fault(("scheduler", key), message, "key")

    def _shocks(self) -> None:
        ticks = self._mapping("run").get("ticks", DEFAULT_TICKS)
        seen: dict[tuple[int, str], int] = {}
        for at, shock in self._entries("shocks"):
            tick, changes = shock.get("tick"), shock.get("set")
            if not isinstance(tick, int) or not isinstance(changes, dict) or not self._sound("shocks", at):
                continue
            if isinstance(ticks, int) and tick > ticks:
                self._fault(("shocks", at, "tick"), f"found {tick}; expected at most run.ticks, {ticks}")
            for path in cast("dict[str, Any]", changes):
                if seen.setdefault((tick, path), at) != at:
                    message = f"found a second change of {quoted(path)} at tick {tick}; expected one"
                    self._fault(("shocks", at, "set", path), message, "key")

    def _draws(self) -> None:
        """Distributions and columns: one kind each, and agents for whom they differ."""
        for key in ("firms", "consumers"):
            for at, entry in self._entries(key):
                path: Steps = (key, at)
                draws = list(_drawn(entry, path, self.known_goods))
                count = entry.get("count")
                for steps, draw in draws:
                    self._one_draw(steps, draw)
                reads = any("csv" in draw for _, draw in draws)
                if draws and self._sound(*path) and (count == 1 or (count is None and not reads)):
                    message = "found a distribution for a single agent; expected a number, or a count above 1"
                    self._fault(draws[0][0], message)
                rows = count or 1
                if draws and isinstance(rows, int) and rows * len(self.goods or ()) > MAX_DRAWN:
                    message = (
                        f"found {rows:,} agents who differ; expected at most {MAX_DRAWN:,} pairs of agents and goods"
                    )
                    self._fault((*path, "count"), message)

    def _one_draw(self, path: Steps, draw: dict[str, Any]) -> None:
        if not self._sound(*path) or "dirichlet" in draw:
            return
        kinds = [kind for kind in draw if kind not in ("times", "plus", "column")]
        known = [kind for kind in Draw.model_fields if kind not in ("times", "plus", "column")]
        if len(kinds) != 1:
            given = " and ".join(kinds) or "no distribution"
            self._fault(path, f"found {given}; expected one of {', '.join(known)}")
        elif ("csv" in draw) != ("column" in draw):
            missing = "column" if "csv" in draw else "csv"
            self._fault(path, f"found no {missing}; expected {{csv: file, column: name}}")
        elif "uniform" in draw and draw["uniform"][0] > draw["uniform"][1]:
            self._fault((*path, "uniform"), f"found {found(draw['uniform'])}; expected [least, most]")

    def _trade(self) -> None:
        trade = self.data.get("trade")
        if not isinstance(trade, dict) or not self._sound("trade"):
            return
        if not self._one_kind(("trade",), cast("dict[str, Any]", trade), list(Trade.model_fields)):
            return
        options = self._mapping("trade", "every_tick")
        kept, spoilage = options.get("inventories"), options.get("spoilage")
        path = ("trade", "every_tick", "spoilage")
        if kept is True and spoilage == 1:
            self._fault(
                path, f"found {found(spoilage)} with inventories; expected less than 1, since nothing would be kept"
            )
        elif kept is False and spoilage is not None and spoilage < 1:
            self._fault(path, f"found {found(spoilage)} without inventories; expected 1, since nothing is kept")

    def _numeraire(self) -> None:
        numeraire = self.data.get("numeraire")
        roles = ("goods", "numeraire", "outside", "supply", "firms", "consumers")
        if not isinstance(numeraire, str) or not all(self._sound(role) for role in roles):
            return
        traded = {*self._mapping("outside"), *self._mapping("supply"), *self.used}
        for at, consumer in self._entries("consumers"):
            traded.update(self._mapping("consumers", at, "endowment"))
            for _, wants in _wants(consumer["utility"]):
                traded.update(wants)
                traded.update(wants.get("dirichlet") or {})
        if numeraire not in traded:
            self._fault(("numeraire",), f"found {quoted(numeraire)}, which nobody trades; expected a good in use")


def _wants(utility: dict[str, Any]) -> Iterator[tuple[Steps, dict[str, Any]]]:
    """The amounts per good in a utility, whatever its kind, with the path to them."""
    for steps in TABLES_OF_GOODS:
        node: Any = utility
        for step in steps:
            node = cast("dict[str, Any]", node).get(step) if isinstance(node, dict) else None
        if isinstance(node, dict):
            table = cast("dict[str, Any]", node)
            inside = table.get("dirichlet") if len(table) == 1 else None
            if isinstance(inside, dict):
                yield (*steps, "dirichlet"), cast("dict[str, Any]", inside)
            else:
                yield steps, table


def _positive(amount: Any) -> bool:
    """Whether an amount is above 0, or drawn."""
    return isinstance(amount, dict) or amount > 0


def _drawn(value: Any, path: Steps, goods: set[str]) -> Iterator[tuple[Steps, dict[str, Any]]]:
    """The draws within a value, with their places; a mapping of goods is none, whatever they are called."""
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        named = mapping and set(mapping) <= {*Draw.model_fields, "dirichlet"} and not set(mapping) <= goods
        if named:
            yield path, mapping
            return
        for key, item in mapping.items():
            yield from _drawn(item, (*path, key), goods)
    elif isinstance(value, list):
        for at, item in enumerate(cast("list[Any]", value)):
            yield from _drawn(item, (*path, at), goods)


def elasticity_of(ces: dict[str, Any]) -> float:
    """The elasticity of substitution of a CES given by it or by `rho`: `1/(1 - rho)`."""
    return float(ces["elasticity"]) if "elasticity" in ces else 1.0 / (1.0 - ces["rho"])


def _sums(amounts: list[float], power: float) -> bool:
    """Whether amounts, raised to a power, add up to a number that can be divided by."""
    try:
        total = sum(float(amount) ** power for amount in amounts)
        return 1e-300 < total < 1e300
    except OverflowError:
        return False


def _position(formula: str, name: str) -> int:
    match = re.search(rf"(?<![A-Za-z0-9_.]){re.escape(name)}(?![A-Za-z0-9_.])", formula)
    return match.start() if match else 0
