"""An equilibrium with taxes by another road: the economy's conditions written from a scenario's plain data, and SciPy.

It shares no code with the simulator and knows less: firms are `reference` (nested CES, one output) or `ces`, consumers
are `cobb_douglas`, `ces` or `reference`, none idle and no good free.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.optimize import root

Numbers = dict[str, float]
Found = dict[str, Numbers]
"""Values by kind and name, as in equilibria.csv."""


def index(amounts: Mapping[str, Any], key: str, prices: Numbers, base: Numbers) -> tuple[float, float, Numbers]:
    """Of a benchmark bundle, nests and all: its cost then, its cost now by then's, and quantities per unit."""
    s = float(amounts.get("elasticity", 1.0))
    parts = {
        name: (amount * base.get(name, 1.0), prices[name] / base.get(name, 1.0), {name: float(amount)})
        for name, amount in amounts[key].items()
    }
    parts |= {f"nest {name}": index(nest, key, prices, base) for name, nest in amounts.get("nests", {}).items()}
    then = sum(cost for cost, *_ in parts.values())
    if s == 1.0:
        now = math.prod(ratio ** (cost / then) for cost, ratio, _ in parts.values())
    else:
        now = sum(cost / then * ratio ** (1 - s) for cost, ratio, _ in parts.values()) ** (1 / (1 - s))
    each = Numbers()
    for _, ratio, bundle in parts.values():
        for good, amount in bundle.items():
            each[good] = each.get(good, 0.0) + amount * (now / ratio) ** s
    return then, now, each


def ces_unit(said: Mapping[str, Any], prices: Numbers) -> tuple[float, Numbers]:
    """Unit cost and inputs of `phi (sum w_i x_i^((s-1)/s))^(s/(s-1))`."""
    s, weights = float(said["elasticity"]), said["weights"]
    inner = sum(w**s * prices[good] ** (1 - s) for good, w in weights.items())
    cost = inner ** (1 / (1 - s)) / said.get("productivity", 1.0)
    phi = said.get("productivity", 1.0)
    return cost, {good: (w * phi * cost / prices[good]) ** s / phi for good, w in weights.items()}


def demand(utility: Mapping[str, Any], prices: Numbers, income: float) -> tuple[Numbers, float]:
    """What is bought, and the utility of it."""
    ((kind, said),) = utility.items()
    if kind == "reference":
        then, now, each = index(said, "demand", prices, said.get("prices", {}))
        return {good: amount * income / (then * now) for good, amount in each.items()}, income / (then * now)
    shares = said if kind == "cobb_douglas" else said["shares"]
    s = 1.0 if kind == "cobb_douglas" else float(said["elasticity"])
    total = sum(a * prices[good] ** (1 - s) for good, a in shares.items())
    bought = {good: a * income * prices[good] ** -s / total for good, a in shares.items()}
    part = {good: a / sum(shares.values()) for good, a in shares.items()}
    if s == 1.0:
        return bought, math.prod(bought[good] ** a for good, a in part.items())
    power = (s - 1) / s
    return bought, sum(a ** (1 / s) * bought[good] ** power for good, a in part.items()) ** (1 / power)


class NowhereError(Exception):
    """The root finder came to no root."""


class Conditions:
    """Markets, unit profits, incomes and what instruments keep, of plain data."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data, self.goods, self.consumers = data, list(data["goods"]), data["consumers"]
        self.firms, self.taxes = data.get("firms", []), data.get("taxes", [])
        self.fixed = data.get("outside") or {data.get("numeraire", self.goods[0]): 1.0}
        self.free = [good for good in self.goods if good not in self.fixed]
        self.adjust = {tax["name"]: tax["rate"]["adjust"] for tax in self.taxes if isinstance(tax["rate"], dict)}
        self.linear = [firm["name"] for firm in self.firms if self.returns(firm) == 1.0]

    @staticmethod
    def returns(firm: Mapping[str, Any]) -> float:
        ((kind, said),) = firm["technology"].items()
        return float(said.get("returns_to_scale", 1.0 if kind == "reference" else math.nan))

    def rate(self, rates: Numbers, name: str, good: str, on: tuple[str, ...], base: str | None = None) -> float:
        """All that lies on a flow of a good at an agent."""
        return sum(rates[tax["name"]] for tax in self.hit(name, good, on, base))

    def hit(self, name: str, good: str, on: tuple[str, ...], base: str | None = None) -> list[Any]:
        def among(key: str, what: str, tax: Any) -> bool:
            said = tax.get(key)
            return said is None or what == said or (isinstance(said, list) and what in said)

        return [
            tax
            for tax in self.taxes
            if tax["on"] in on
            and among("of", name, tax)
            and among("good", good, tax)
            and (base is None or tax.get("base", "gross") == base)
        ]

    def split(self, x: Any) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        values = iter(np.asarray(x, dtype=float).tolist())
        prices = {good: math.exp(next(values)) for good in self.free} | self.fixed
        levels = {name: math.exp(next(values)) for name in self.linear}
        gross = {each["name"]: next(values) for each in self.consumers}
        return prices, levels, gross, {name: next(values) for name in self.adjust}

    def at(self, x: Any) -> tuple[list[float], Found]:
        """The left sides of all conditions, 0 at an equilibrium, and all that is told of it."""
        p, levels, gross, adjusted = self.split(x)
        rates = {tax["name"]: adjusted.get(tax["name"], tax["rate"]) for tax in self.taxes}
        revenue = dict.fromkeys(rates, 0.0)
        excess = {good: -self.data.get("supply", {}).get(good, 0.0) for good in self.goods}
        found: Found = {"price": p, "level": levels, "input": {}, "consumption": {}, "utility": {}, "income": {}}
        unit_profits, profits = list[float](), Numbers()
        for firm in self.firms:
            name, k = firm["name"], self.returns(firm)
            ((kind, said),) = firm["technology"].items()
            inputs = self._inputs(said)
            user = {good: p[good] * (1 + self.rate(rates, name, good, ("input", "sales"))) for good in inputs}
            if kind == "reference":
                ((output, quantity),) = said["outputs"].items()
                then, now, each = index(said, "inputs", user, said.get("prices", {}))
                cost = then * now
            else:
                output, quantity = said["output"], 1.0
                cost, each = ces_unit(said, user)
            gross_rate = self.rate(rates, name, output, ("output",), "gross")
            maker = p[output] * (1 - gross_rate) / (1 + self.rate(rates, name, output, ("output",), "net"))
            worth = maker * quantity * said.get("productivity" if kind == "reference" else "", 1.0)
            if k == 1.0:
                scale = h = levels[name]
                unit_profits.append(worth / cost - 1)
            else:
                h = (k * worth / cost) ** (1 / (1 - k))
                scale = h**k
                profits[name] = worth * scale - cost * h
            made = scale * worth / maker
            excess[output] -= made
            for tax in self.hit(name, output, ("output",)):
                base = maker if tax.get("base") == "net" else p[output]
                revenue[tax["name"]] += rates[tax["name"]] * base * made
            for good, amount in each.items():
                excess[good] += h * amount
                found["input"][f"{name}.{good}"] = h * amount
                for tax in self.hit(name, good, ("input", "sales")):
                    revenue[tax["name"]] += rates[tax["name"]] * p[good] * h * amount
        for consumer in self.consumers:
            name, count = consumer["name"], consumer.get("count", 1)
            purse = gross[name] * (1 - sum(each.get("share", 0) for each in self.sent("from", name)))
            purse -= sum(self.amount(each, p) for each in self.sent("from", name))
            user = {good: p[good] * (1 + self.rate(rates, name, good, ("consumption", "sales"))) for good in p}
            bought, utility = demand(consumer["utility"], user, purse / count)
            found["utility"][name], found["income"][name] = utility, purse
            for good, amount in consumer.get("endowment", {}).items():
                excess[good] -= count * amount
            for good, amount in bought.items():
                excess[good] += count * amount
                found["consumption"][f"{name}.{good}"] = count * amount
                for tax in self.hit(name, good, ("consumption", "sales")):
                    revenue[tax["name"]] += rates[tax["name"]] * p[good] * count * amount
        found |= {"revenue": revenue, "rate": rates, "profit": profits}
        incomes = [self._due(each, p, profits, revenue, gross) / gross[each["name"]] - 1 for each in self.consumers]
        kept = [self.kept(each["keep"], found) / each["at"] - 1 for each in self.adjust.values()]
        markets = [excess[good] / sum(p.values()) for good in self.free]
        return [*markets, *unit_profits, *incomes, *kept], found

    def _inputs(self, said: Mapping[str, Any]) -> list[str]:
        nested = [good for nest in said.get("nests", {}).values() for good in self._inputs(nest)]
        return [*said.get("inputs", {}), *said.get("weights", {}), *nested]

    def sent(self, key: str, name: str) -> list[Any]:
        return [each for each in self.data.get("transfers", []) if each[key] == name]

    def amount(self, transfer: Any, prices: Numbers) -> float:
        said = transfer.get("amount", 0.0)
        return prices[said["good"]] * said["amount"] if isinstance(said, dict) else said

    def _due(self, consumer: Any, prices: Numbers, profits: Numbers, revenue: Numbers, gross: Numbers) -> float:
        """Income before it pays transfers."""
        name, count = consumer["name"], consumer.get("count", 1)
        own = consumer.get("budget", 0.0)
        own += sum(prices[good] * amount for good, amount in consumer.get("endowment", {}).items())
        profit = sum(part * profits.get(firm, 0.0) for firm, part in consumer.get("owns", {}).items())
        taxes = 0.0
        for tax in self.taxes:
            to = tax.get("to", {})
            shares = {to: 1.0} if isinstance(to, str) else to
            taxes += shares.get(name, 0.0) * revenue[tax["name"]]
        got = sum(
            each.get("share", 0.0) * gross[each["from"]] + self.amount(each, prices) for each in self.sent("to", name)
        )
        return count * own + profit + taxes + got

    @staticmethod
    def kept(path: str, found: Found) -> float:
        room, name, *last = path.split(".")
        kinds = {"utility": "utility", "level": "level", "revenue": "revenue"}
        if room == "prices":
            return found["price"][name]
        return found[kinds[last[0]]][name] if last[0] in kinds else found["consumption"][f"{name}.{last[0]}"]


def equilibrium(data: Mapping[str, Any]) -> Found:
    """The equilibrium that a root finder comes to from levels where they start, prices of 1, or others near these.
    Raises `NowhereError` if it comes to none in which nobody owes.
    """
    conditions = Conditions(data)
    stream, behaviours = np.random.default_rng(0), {firm["name"]: firm.get("behaviour") for firm in conditions.firms}
    levels = [
        math.log(said["activity"].get("start", 1.0)) if isinstance(said := behaviours[name], dict) else 0.0
        for name in conditions.linear
    ]
    rates = [each.get("start", 0.1) for each in conditions.adjust.values()]
    owned = [sum(each.get("endowment", {"": 1.0}).values()) * each.get("count", 1) for each in conditions.consumers]
    first, left = np.array([*np.zeros(len(conditions.free)), *levels, *owned, *rates]), math.inf
    moved = np.arange(len(first)) < len(conditions.free) + len(levels)
    for spread in (0.0, *np.full(5, 0.3)):
        start = first + spread * moved * stream.normal(size=len(first))
        with np.errstate(all="ignore"):
            try:
                solved = root(lambda x: conditions.at(x)[0], start, options={"xtol": 1e-13, "maxfev": 400})
                sides, found = conditions.at(solved.x)
            except (ArithmeticError, ValueError, TypeError):  # a purse below 0 has no real utility
                continue
        left = max(map(abs, sides))
        if left < 1e-10 and min(found["income"].values()) >= 0:
            return found
    raise NowhereError(f"the largest left side is {left:.1e}")
