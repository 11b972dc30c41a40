"""What the parameters of tastes and techniques contradict among themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from statistics import median
from typing import Any, cast

from simulator.scenario.complaints import unknown
from simulator.scenario.document import Steps, found, quoted, shown
from simulator.scenario.draws_schema import is_dirichlet, is_draw, shares_key
from simulator.scenario.entry import NAME_PATTERN
from simulator.scenario.findings import Findings
from simulator.scenario.plugins import parameters_of

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


class KindChecks(Findings):
    """Firms' technologies and consumers' utilities."""

    def firm(self, path: Steps, firm: dict[str, Any]) -> None:
        ways = [key for key in ("makes", "technology") if key in self.written(path)]
        if len(ways) != 1:
            found_ways = "both makes and technology" if ways else "neither makes nor technology"
            self.fault(path, f"found {found_ways}; expected one of them")
            return
        if ways == ["makes"]:
            self._formula_of_firm((*path, "makes"), firm.get("makes"))
            return
        if "productivity" in firm:
            self.fault(
                (*path, "productivity"),
                "found productivity beside technology; expected it within the technology",
                "key",
            )
        technology = firm.get("technology")
        if not isinstance(technology, dict) or not self.sound(*path, "technology"):
            return
        kinds = cast("dict[str, Any]", technology)
        if self.one_kind((*path, "technology"), kinds, self.kinds_at((*path, "technology"))):
            ((kind, parameters),) = kinds.items()
            if isinstance(parameters, dict):
                self._technology((*path, "technology", kind), kind, cast("dict[str, Any]", parameters))

    def _technology(self, path: Steps, kind: str, given: dict[str, Any]) -> None:
        output = given.get("output")
        if isinstance(output, str) and self.is_good((*path, "output"), output, "value"):
            self.used.add(output)
        if kind in self.document.plugins.technologies:
            self._technology_from_outside(path, kind, given)
            return
        if kind == "ces":
            if self._ces_convention(path, given, ("inputs", "shares", "weights"), ("returns_to_scale",)):
                self._tree(path, given, set())
        else:
            self.keys_are_goods(*path, "inputs")
            self.used.update(given.get("inputs") or {})
        if kind == "power" and len(given.get("inputs") or {}) > 1:
            self.fault((*path, "inputs"), "found several inputs; expected one (cobb_douglas takes several)")
        if not self.sound(*path):
            return
        if kind in ("power", "cobb_douglas"):
            total = sum(value for value in given["inputs"].values() if not isinstance(value, dict))
            if total >= 1:
                advice = "expected less than 1: returns that diminish, or no best response exists"
                self.fault((*path, "inputs"), f"found exponents that sum to {total:.6g}; {advice}")
        else:
            returns = given.get("returns_to_scale")
            if not isinstance(returns, dict) and returns is not None and returns >= 1:
                advice = "expected less than 1: returns that diminish, or no best response exists"
                self.fault((*path, "returns_to_scale"), f"found {found(returns)}; {advice}")

    def _technology_from_outside(self, path: Steps, kind: str, given: dict[str, Any]) -> None:
        """`output`, a good, and `inputs`, goods or numbers by good; other numbers by name are by input."""
        inputs: Any = given.get("inputs")
        if not isinstance(given.get("output"), str):
            self.fault(path, "found no output; expected output: the good made")
        if not isinstance(inputs, dict | list) or not inputs:
            self.fault(path, "found no inputs; expected inputs: a list of goods, or numbers by good")
            return
        names: list[Any] = list(cast("Any", inputs))
        spot = "key" if isinstance(inputs, dict) else "value"
        for place, name in enumerate(names):
            step = name if isinstance(inputs, dict) else place
            if not isinstance(name, str):
                self.fault((*path, "inputs", step), f"found {found(name)}; expected a good")
            elif self.is_good((*path, "inputs", step), name, spot):
                self.used.add(name)
        others = {key: value for key, value in given.items() if key not in ("output", "inputs")}
        self.from_outside(path, "technologies", kind, others, names)

    def from_outside(
        self, path: Steps, group: str, kind: str, given: dict[str, Any], names: list[str] | None = None
    ) -> None:
        """The parameters of a kind from outside: those it takes, and by no names but goods, or the `names` given."""
        taken = parameters_of(self.document.plugins.of(group)[kind], ("inputs",))
        if taken is not None:
            for key in given:
                if key not in taken.all:
                    self.fault((*path, key), unknown("parameter", key, [n for n in taken.all if n != "inputs"]), "key")
            for key in taken.required:
                if key not in given:
                    self.fault(path, f"missing parameter {key} of {kind}; expected {', '.join(taken.required)}")
        for key, value in given.items():
            if isinstance(value, dict) and not is_draw(cast("dict[str, Any]", value)):
                table = cast("dict[str, Any]", value)
                inside = table["dirichlet"] if is_dirichlet(table) else table
                below = (*path, key, "dirichlet") if inside is not table else (*path, key)
                for name in inside:
                    if names is not None and name not in names:
                        self.fault((*below, name), unknown("input", name, names), "key")
                    elif names is None and self.is_good((*below, name), name):
                        self.used.add(name)

    def _formula_of_firm(self, path: Steps, makes: object) -> None:
        if not isinstance(makes, str):
            return
        from simulator.formulas.concavity import judge
        from simulator.formulas.formula import FormulaError, parse, sides

        goods, right = sides(makes)
        wrong = [good for good in goods if not re.fullmatch(NAME_PATTERN, good)]
        if wrong or not goods:
            advice = "expected 'good = formula' with one good on the left, or 'one = other = formula' of joint products"
            self.fault(path, f"found {quoted(wrong[0] if wrong else makes)}; {advice}")
            return
        begin = len(makes) - len(right)
        for good in goods:
            self.is_good(path, good, "value", makes)
            if goods.count(good) > 1:
                self.fault(path, f"found {quoted(good)} twice on the left; expected it once")
                return
        try:
            formula = parse(right)
        except FormulaError as error:
            self.fault(path, error.message, offset=begin + error.offset)
            return
        if not formula.variables:
            advice = f"expected at least one good (a constant flow is supply: {{{goods[0]}: 1}})"
            self.fault(path, f"found a formula without inputs; {advice}", offset=begin)
            return
        self.used.update((*goods, *formula.variables))
        self.recipes.append((goods, formula.variables))
        known = [self.is_good(path, name, "value", right, begin) or self.goods is None for name in formula.variables]
        if all(known) and not self.messages:
            verdict = judge(formula, self._scale)
            if not verdict.strictly_concave:
                advice = "expected returns that diminish in all inputs jointly, such as y = x^0.5"
                self.fault(path, f"{verdict.sentence.rstrip('.')}; {advice}", offset=begin)

    @cached_property
    def _scale(self) -> float:
        """The size of a typical flow: the median of what is supplied and owned."""
        flows = [
            self.mapping("supply"),
            *(self.mapping("consumers", at, "endowment") for at, _ in self.entries("consumers")),
        ]
        positive = [float(a) for flow in flows for a in flow.values() if not isinstance(a, dict) and a > 0]
        return median(positive) if positive else 1.0

    def consumer(self, path: Steps, consumer: dict[str, Any]) -> None:
        self.keys_are_goods(*path, "endowment")
        utility = consumer.get("utility")
        if isinstance(utility, dict):
            self._utility((*path, "utility"), cast("dict[str, Any]", utility))
        if not self.sound(*path):
            return
        budget = consumer.get("budget")
        unlimited = budget is None and "quasilinear" in self.mapping(*path, "utility")
        owned = [*self.mapping(*path, "endowment").values(), *self.mapping(*path, "owns").values(), budget or 0]
        if not unlimited and not any(amount == "equal" or _positive(amount) for amount in owned):
            self.fault(path, "found nothing to spend; expected an endowment, a budget or owns")

    def _utility(self, path: Steps, utility: dict[str, Any]) -> None:
        sound = self.sound(*path)
        for kind, _ in wants_of(utility):
            if kind[0] != "ces":
                self.keys_are_goods(*path, *kind)
        if not sound:
            return
        if not self.one_kind(path, utility, self.kinds_at(path)):
            return
        ((kind, given),) = utility.items()
        if kind in self.document.plugins.utilities:
            self.from_outside((*path, kind), "utilities", kind, given)
            return
        inner: Any = utility.get("quasilinear", utility.get("ces"))
        kinds = ["log", "power", "quadratic"]
        if "quasilinear" in utility and not self.one_kind((*path, "quasilinear"), inner, kinds):
            return
        if "ces" in utility:
            if self._ces_convention((*path, "ces"), inner, ("shares", "weights")):
                self._tree((*path, "ces"), inner, set())
            return
        if "formula" in utility:
            self._formula_of_utility((*path, "formula"), utility["formula"])
            return
        for kind, wants in wants_of(utility):
            self._wanted((*path, *kind), wants, kind[-1] not in ("subsistence", "slope"))
        if "stone_geary" in utility:
            shares, subsistence = utility["stone_geary"]["shares"], utility["stone_geary"]["subsistence"]
            for good, amount in subsistence.items():
                if _positive(amount) and not _positive(shares.get("dirichlet", shares).get(good, 0)):
                    found_good = f"found subsistence of {shown(good)}, which has no share"
                    self.fault((*path, "stone_geary", "subsistence", good), f"{found_good}; expected a share of it too")
        quadratic = (utility.get("quasilinear") or {}).get("quadratic")
        if quadratic is not None and set(quadratic["intercept"]) != set(quadratic["slope"]):
            message = "found different goods in intercept and slope; expected the same in both"
            self.fault((*path, "quasilinear", "quadratic"), message)

    def _wanted(self, path: Steps, wants: dict[str, Any], some: bool, power: float = 1.0) -> None:
        """Complain if nothing is wanted, or if amounts cannot be added up."""
        if some and not any(map(_positive, wants.values())):
            self.fault(path, "found no good that is wanted; expected at least one number above 0")
        elif some and not any(isinstance(a, dict) for a in wants.values()) and not _sums([*wants.values()], power):
            self.fault(path, "found numbers too large or too small to add up; expected moderate ones")

    def _formula_of_utility(self, path: Steps, text: str) -> None:
        from simulator.economics.formula_utility import unfit
        from simulator.formulas.formula import FormulaError, parse

        try:
            formula = parse(text)
        except FormulaError as error:
            self.fault(path, error.message, offset=error.offset)
            return
        if not formula.variables:
            self.fault(path, "found a formula without goods; expected at least one")
            return
        self.used.update(formula.variables)
        known = [self.is_good(path, name, "value", text) or self.goods is None for name in formula.variables]
        complaint = unfit(formula, self._scale) if all(known) else None
        if complaint is not None:
            self.fault(path, complaint)

    def _tree(self, path: Steps, given: dict[str, Any], seen: set[str]) -> None:
        """The names in a CES and its nests: goods, each once, or nests, each used."""
        nests: dict[str, Any] = given.get("nests") or {}
        key = shares_key(given)
        table: dict[str, Any] = given[key]
        names = table.get("dirichlet") if isinstance(table.get("dirichlet"), dict) else table
        steps = (*path, key, "dirichlet") if names is not table else (*path, key)
        for name in names or {}:
            if name in nests:
                continue
            if self.is_good((*steps, name), name):
                self.used.add(name)
                if name in seen:
                    message = f"found the good {shown(name)} twice in a tree; expected it once"
                    self.fault((*steps, name), message, "key")
                seen.add(name)
        if self.sound(*path, key):
            drawn = any(isinstance(given.get(kind), dict) for kind in ("elasticity", "rho"))
            power = 1.0 if drawn or key != "weights" else elasticity_of(given)
            self._wanted((*path, key), cast("dict[str, Any]", names or {}), True, power)
        for name, nest in nests.items():
            below = (*path, "nests", name)
            if name in self.known_goods:
                self.fault(below, f"found {shown(name)}, which is a good; expected a name of its own", "key")
            elif name not in (names or {}):
                self.fault(below, f"found a nest that no share names; expected {shown(name)} among {key}", "key")
            elif isinstance(nest, dict) and self.sound(*below):
                inner = cast("dict[str, Any]", nest)
                if self._ces_convention(below, inner, ("shares", "weights")):
                    self._tree(below, inner, seen)

    def _ces_convention(
        self, path: Steps, ces: dict[str, Any], tables: tuple[str, ...], more: tuple[str, ...] = ()
    ) -> bool:
        """Whether a CES is given by one of its conventions; complains if not."""
        how = [key for key in ces if key in ("elasticity", "rho", *tables)]
        allowed = [("elasticity", table) for table in tables] + [("rho", "weights")]
        if any(set(how) == set(pair) for pair in allowed):
            return True
        if not self.sound(*path):
            return False
        given = ", ".join(how) or "an empty mapping"
        conventions = [f"{{{', '.join(pair)}}}" for pair in allowed]
        self.fault(path, f"found {given}; expected {', '.join(conventions[:-1])} or {conventions[-1]}")
        return False


def wants_of(utility: dict[str, Any]) -> Iterator[tuple[Steps, dict[str, Any]]]:
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
