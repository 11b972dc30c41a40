"""The market against slower roads to the same numbers: a plain mesa model, plain loops, arrays, other file orders."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import plain_mesa
from tests.builders import in_arrays, market_of
from tests.economies import TUPPERWARE_FIRMS
from tests.house import MarketTick, Run, simulate

TUPPERWARE: dict[str, Any] = {
    "name": "tupperware",
    "goods": ["natgas", "ethylene", "polyethylene", "tupperware"],
    "numeraire": "tupperware",
    "outside": {"tupperware": 1},
    "supply": {"natgas": 4},
    "firms": TUPPERWARE_FIRMS,
    "initial_prices": {"natgas": 0.01, "ethylene": 0.05, "polyethylene": 0.5},
    "scheduler": {"form": "multiplicative", "rate": 0.3},
    "run": {"ticks": 300, "tolerance": 1e-12, "stop": "never"},
}

TOWN: dict[str, Any] = {
    "name": "town",
    "goods": ["labour", "grain", "bread", "steel", "tool", "cloth"],
    "outside": {"tool": 0.7, "cloth": 1.1},
    "supply": {"labour": 0.8, "steel": 0.1},
    "firms": [
        {"name": "farm", "makes": "grain = 2*labour^0.5"},
        {"name": "bakery", "makes": "bread = 1.5*grain^0.4*labour^0.3"},
        {"name": "mill", "makes": "steel = 1.2*steel^0.3*labour^0.4"},
        {"name": "weaver", "makes": "cloth = 2*steel^0.4*tool^0.3"},
        {"name": "smithy", "makes": "steel = 0.5*tool^0.5"},
    ],
    "consumers": [
        {
            "name": "worker",
            "utility": {"cobb_douglas": {"labour": 0.2, "grain": 0.2, "bread": 0.5, "steel": 0.1}},
            "endowment": {"labour": 3},
            "owns": {"farm": 0.5, "mill": 0.5},
            "budget": 0.3,
        },
        {
            "name": "rentier",
            "utility": {"leontief": {"bread": 1, "cloth": 0.5}},
            "endowment": {"grain": 0.3, "tool": 0.2},
            "owns": {"bakery": 1, "mill": 0.3},
        },
        {
            "name": "saver",
            "utility": {"ces": {"elasticity": 0.6, "shares": {"bread": 1, "grain": 2}}},
            "budget": 1,
            "savings": True,
        },
        {"name": "fisher", "utility": {"cobb_douglas": {"bread": 0.7, "steel": 0.3}}, "budget": 0.8},
        {"name": "purse", "utility": {"quasilinear": {"log": {"grain": 0.4, "tool": 0.1}}}},
        {
            "name": "thrifty",
            "utility": {"quasilinear": {"log": {"bread": 0.5, "labour": 0.4}}},
            "endowment": {"labour": 0.5},
            "budget": 0.2,
        },
    ],
    "initial_prices": {"labour": 0.5, "grain": 1.2, "bread": 0.4, "steel": 2.0},
    "scheduler": {"form": "multiplicative", "rate": 0.1},
    "run": {"ticks": 200, "stop": "never", "tolerance": 1e-12},
}


def test_tupperware_is_what_a_plain_mesa_model_does() -> None:
    run = simulate(TUPPERWARE)
    plain = plain_mesa.run(300)
    expected = plain_mesa.frame(plain)
    assert run.trajectory["good"].tolist() == expected["good"].tolist()
    assert run.trajectory["tick"].tolist() == expected["tick"].tolist()
    scale = np.maximum(expected["demand"], expected["supply"]).to_numpy()
    for column in ("price", "demand", "supply", "traded", "inventory", "bid", "adjoint"):
        np.testing.assert_allclose(run.trajectory[column], expected[column], rtol=1e-12, atol=0, err_msg=column)
    assert np.all(np.abs(run.trajectory["excess_demand"] - expected["excess_demand"]) <= 1e-12 * scale)

    balances = plain.datacollector.get_model_vars_dataframe()
    np.testing.assert_allclose(
        run.ticks["max_relative_excess_demand"], balances["max_relative_excess_demand"], rtol=0, atol=1e-12
    )
    firms = plain.datacollector.get_agenttype_vars_dataframe(plain_mesa.Firm).reset_index()
    rows = run.agents.merge(firms, left_on=["tick", "agent"], right_on=["Step", "firm"], suffixes=("", "_plain"))
    assert len(rows) == 301 * 3 * 2
    np.testing.assert_allclose(rows["profit"], rows["profit_plain"], rtol=1e-12, atol=1e-15)
    for column in ("input", "output"):
        used = rows[rows[column] != 0]
        assert len(used) == 301 * 3
        np.testing.assert_allclose(used[column], used[f"{column}_plain"], rtol=1e-12, atol=0)


@dataclass
class Person:
    """A consumer in plain floats: spending shares at prices, from its kind of taste."""

    endowment: dict[str, float]
    owns: dict[str, float]
    budget: float
    saves: bool
    kind: str
    taste: dict[str, float]
    elasticity: float = 1.0
    account: float = 0.0
    income: float = 0.0
    plan: dict[str, float] = field(default_factory=dict)
    consumed: dict[str, float] = field(default_factory=dict)

    def spending(self) -> float:
        return min(sum(self.taste.values()), self.income) if self.kind == "log" else self.income

    def demand(self, prices: dict[str, float]) -> dict[str, float]:
        if self.kind == "leontief":
            cost = sum(a * prices[good] for good, a in self.taste.items())
            return {good: a * self.spending() / cost for good, a in self.taste.items()}
        power = 1.0 - self.elasticity
        weights = {good: a * prices[good] ** power for good, a in self.taste.items()}
        return {good: w / sum(weights.values()) * self.spending() / prices[good] for good, w in weights.items()}


@dataclass
class Works:
    """A firm `makes = scale * prod x_i^a_i` in plain floats."""

    makes: str
    scale: float
    powers: dict[str, float]
    stock: float = 0.0
    wanted: dict[str, float] = field(default_factory=dict)
    planned: float = 0.0
    used: dict[str, float] = field(default_factory=dict)
    made: float = 0.0
    cash: float = 0.0

    def output(self, inputs: dict[str, float]) -> float:
        made = self.scale
        for good, power in self.powers.items():
            made *= inputs[good] ** power
        return made

    def best(self, prices: dict[str, float]) -> None:
        """First-order conditions `x_i = a_i p y / w_i` of a power law, in closed form."""
        returns = sum(self.powers.values())
        product = self.scale
        for good, power in self.powers.items():
            product *= (power * prices[self.makes] / prices[good]) ** power
        self.planned = product ** (1.0 / (1.0 - returns))
        self.wanted = {good: a * prices[self.makes] * self.planned / prices[good] for good, a in self.powers.items()}


class PlainTown:
    """The tick of `TOWN` in loops over names, written from the rules of trade alone."""

    def __init__(self, spoilage: float, stocked: bool, rate: float) -> None:
        self.spoilage, self.stocked, self.rate, self.tick = spoilage, stocked, rate, -1
        self.goods = list(TOWN["goods"])
        self.outside = dict(TOWN["outside"])
        self.supply = {good: TOWN["supply"].get(good, 0.0) for good in self.goods}
        self.prices = {good: TOWN["initial_prices"].get(good, 1.0) for good in self.goods} | self.outside
        self.firms = {
            "farm": Works("grain", 2.0, {"labour": 0.5}),
            "bakery": Works("bread", 1.5, {"grain": 0.4, "labour": 0.3}),
            "mill": Works("steel", 1.2, {"steel": 0.3, "labour": 0.4}),
            "weaver": Works("cloth", 2.0, {"steel": 0.4, "tool": 0.3}),
            "smithy": Works("steel", 0.5, {"tool": 0.5}),
        }
        self.people = {entry["name"]: self._person(entry) for entry in TOWN["consumers"]}

    @staticmethod
    def _person(entry: dict[str, Any]) -> Person:
        ((kind, taste),) = entry["utility"].items()
        elasticity = 1.0
        if kind == "ces":
            elasticity, taste = taste["elasticity"], taste["shares"]
        if kind == "quasilinear":
            kind, taste = "log", taste["log"]
        budget = entry.get("budget", math.inf if kind == "log" else 0.0)
        owns, saves = entry.get("owns", {}), entry.get("savings", False)
        return Person(entry.get("endowment", {}), owns, budget, saves, kind, taste, elasticity)

    def step(self) -> None:
        if self.tick >= 0:
            self._reprice()
        self.tick += 1
        self._plan()
        self._trade()

    def _plan(self) -> None:
        prices = self.prices
        for firm in self.firms.values():
            firm.best(prices)
            if self.tick == 0 and self.stocked and firm.makes not in self.outside:
                firm.stock = firm.planned
        profit = {
            name: prices[firm.makes] * firm.planned - sum(prices[good] * x for good, x in firm.wanted.items())
            for name, firm in self.firms.items()
        }
        self.demand, self.offer = dict.fromkeys(self.goods, 0.0), dict(self.supply)
        for firm in self.firms.values():
            self.offer[firm.makes] += firm.planned
            for good, x in firm.wanted.items():
                self.demand[good] += x
        for person in self.people.values():
            worth = sum(prices[good] * e for good, e in person.endowment.items())
            shares = sum(share * profit[name] for name, share in person.owns.items())
            person.income = max(0.0, worth + shares + person.budget + person.account)
            person.plan = person.demand(prices)
            for good in self.goods:
                self.demand[good] += person.plan.get(good, 0.0)
                self.offer[good] += person.endowment.get(good, 0.0)
        for good in self.outside:
            self.demand[good] = self.offer[good] = max(self.demand[good], self.offer[good])

    def _trade(self) -> None:
        orders: dict[str, dict[str, float]] = {good: {} for good in self.goods}
        offers: dict[str, dict[str, float]] = {good: {} for good in self.goods}
        kept: dict[str, float] = {}
        for name, firm in self.firms.items():
            kept[name] = min(firm.wanted.get(firm.makes, 0.0), firm.stock)
            offers[firm.makes][name] = firm.stock - kept[name]
            for good, x in firm.wanted.items():
                orders[good][name] = x - (kept[name] if good == firm.makes else 0.0)
        for name, person in self.people.items():
            for good in self.goods:
                net = person.plan.get(good, 0.0) - person.endowment.get(good, 0.0)
                if net > 0:
                    orders[good][name] = net
                else:
                    offers[good][name] = -net
        bought: dict[str, dict[str, float]] = {}
        sold: dict[str, dict[str, float]] = {}
        self.traded: dict[str, float] = {}
        for good in self.goods:
            asked, offered = sum(orders[good].values()), sum(offers[good].values()) + self.supply[good]
            quantity = min(asked, offered)
            self.traded[good] = quantity
            buying = selling = 1.0
            if good not in self.outside:
                buying, selling = (quantity / side if side > 0 else 0.0 for side in (asked, offered))
            bought[good] = {name: buying * x for name, x in orders[good].items()}
            sold[good] = {name: selling * x for name, x in offers[good].items()}
        prices = self.prices
        for name, firm in self.firms.items():
            firm.used = {good: bought[good][name] + (kept[name] if good == firm.makes else 0.0) for good in firm.powers}
            firm.made = firm.output(firm.used)
            unsold = firm.stock - kept[name] - sold[firm.makes][name]
            revenue = sold[firm.makes][name] * prices[firm.makes]
            if firm.makes in self.outside:
                revenue += firm.made * prices[firm.makes]
                firm.stock = unsold * (1.0 - self.spoilage)
            else:
                firm.stock = unsold * (1.0 - self.spoilage) + firm.made
            firm.cash = revenue - sum(bought[good][name] * prices[good] for good in firm.powers)
        for name, person in self.people.items():
            earned = sum(sold[good].get(name, 0.0) * prices[good] for good in self.goods)
            paid = sum(bought[good].get(name, 0.0) * prices[good] for good in self.goods)
            shares = sum(share * self.firms[firm].cash for firm, share in person.owns.items())
            received = 0.0 if math.isinf(person.budget) else person.budget
            left = person.account + earned - paid + shares + received
            person.account = self._after_lapse(person, left)
            person.consumed = {
                good: min(person.plan.get(good, 0.0), person.endowment.get(good, 0.0)) + bought[good].get(name, 0.0)
                for good in self.goods
            }

    @staticmethod
    def _after_lapse(person: Person, left: float) -> float:
        """What an account keeps: money without end stays outside, what is left of a budget lapses, savings stay."""
        if math.isinf(person.budget):
            return 0.0
        if person.saves or left <= 0:
            return left
        if person.kind == "log":
            return 0.0
        return left - min(left, person.budget)

    def _reprice(self) -> None:
        for good in self.goods:
            size = max(self.demand[good], self.offer[good])
            if good not in self.outside and size > 0:
                self.prices[good] *= math.exp(self.rate * (self.demand[good] - self.offer[good]) / size)


@pytest.mark.parametrize("start", ["stocked", "empty"])
@pytest.mark.parametrize("spoilage", [0.0, 0.25, 1.0])
def test_a_town_of_firms_and_consumers_is_what_plain_loops_do(spoilage: float, start: str) -> None:
    market = market_of({**TOWN, "start": start, "trade": {"every_tick": {"spoilage": spoilage}}})
    plain = PlainTown(spoilage, start == "stocked", 0.1)
    rationed = {"buyers": 0, "sellers": 0}
    for _ in range(201):
        market.advance()
        plain.step()
        expected: dict[str, list[Any]] = {
            "prices": [plain.prices[good] for good in plain.goods],
            "demand": [plain.demand[good] for good in plain.goods],
            "supply": [plain.offer[good] for good in plain.goods],
            "traded": [plain.traded[good] for good in plain.goods],
            "planned_inputs": [x for firm in plain.firms.values() for x in firm.wanted.values()],
            "planned_outputs": [firm.planned for firm in plain.firms.values()],
            "inputs": [x for firm in plain.firms.values() for x in firm.used.values()],
            "outputs": [firm.made for firm in plain.firms.values()],
            "stock": [firm.stock for firm in plain.firms.values()],
            "planned_consumption": [[p.plan.get(g, 0.0) for g in plain.goods] for p in plain.people.values()],
            "consumption": [[p.consumed[g] for g in plain.goods] for p in plain.people.values()],
        }
        for name, values in expected.items():
            np.testing.assert_allclose(getattr(market, name), values, rtol=1e-10, atol=1e-14, err_msg=name)
        turnover = float(market.prices @ market.demand)
        for name, values in {
            "cash_flow": [firm.cash for firm in plain.firms.values()],
            "money": [person.account for person in plain.people.values()],
        }.items():
            np.testing.assert_allclose(getattr(market, name), values, rtol=0, atol=1e-11 * turnover, err_msg=name)
        rationed["buyers"] += bool(np.any(market.inputs < 0.99 * market.planned_inputs))
        rationed["sellers"] += bool(np.any(market.supply_sold < 0.99 * market.economy.supply))
    assert min(rationed.values()) > 0


def assert_same(a: MarketTick, b: MarketTick) -> None:
    """To rounding, which a corner (a first unit that just pays) magnifies."""
    size = float(np.max(np.asarray(a.prices) * np.maximum(a.demand, a.supply), initial=1e-6))
    for name, x, y in zip(MarketTick._fields, a, b, strict=True):
        atol = 1e-11 * (size if name == "cash_flow" else 1.0)
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=atol, err_msg=f"{name} at tick {a.tick}")


@settings(max_examples=25)
@given(
    prices=st.lists(st.floats(1e-3, 1e2), min_size=3, max_size=3),
    scheduler=st.sampled_from(
        [
            {"form": "multiplicative", "rate": 0.3},
            {"form": "additive", "rate": 0.003},
            {"form": "additive", "rate": 0.05, "with": ["relative"]},
        ]
    ),
    trade=st.sampled_from(
        ["every_tick", "at_equilibrium", {"every_tick": {"spoilage": 0}}, {"every_tick": {"spoilage": 0.3}}]
    ),
    start=st.sampled_from(["stocked", "empty"]),
    gas=st.sampled_from([0.0, 0.5, 4.0]),
)
def test_a_chain_in_plain_floats_is_the_market_in_arrays(
    prices: list[float], scheduler: dict[str, Any], trade: Any, start: str, gas: float
) -> None:
    goods = dict(zip(TUPPERWARE["goods"], prices, strict=False))
    scenario = {**TUPPERWARE, "initial_prices": goods, "scheduler": scheduler, "trade": trade, "start": start}
    scenario["supply"] = {"natgas": gas}
    fast, slow = market_of(scenario), in_arrays(scenario)
    for _ in range(60):
        fast.advance()
        slow.advance()
        assert_same(fast.last_tick, slow.last_tick)
        if not fast.last_tick.finite:
            break
        slow.state = fast.state


def test_a_chain_with_rival_users_and_a_fixed_price_is_the_market_in_arrays() -> None:
    scenario = {
        "goods": {"labour": None, "bread": None, "cloth": None, "coal": {"fixed_price": 0.3}, "heat": {"floor": 0.2}},
        "outside": {"bread": 1, "cloth": 1.5},
        "supply": {"labour": 10, "coal": 1},
        "firms": [
            {"name": "bakery", "makes": "bread = 4*sqrt(labour)"},
            {"name": "weaver", "makes": "cloth = 6*ln(1 + labour)"},
            {"name": "stove", "makes": "heat = sqrt(coal)"},
            {"name": "boiler", "makes": "heat = ln(1 + 2*coal)"},
            {"name": "dryer", "makes": "cloth = ln(heat)"},
        ],
        "initial_prices": {"labour": 0.3, "heat": 1},
    }
    fast, slow = market_of(scenario), in_arrays(scenario)
    for _ in range(300):
        fast.advance()
        slow.advance()
        assert_same(fast.last_tick, slow.last_tick)
    assert fast.scheduler.served_by(fast.transition) == "floats"


@pytest.mark.parametrize("scenario", [TUPPERWARE, TOWN], ids=["tupperware", "town"])
@pytest.mark.parametrize("pieces", [[], [{"momentum": 0.4}, {"clip": 0.05}]], ids=["plain", "momentum"])
def test_a_market_taken_up_again_goes_on_to_the_last_bit(scenario: dict[str, Any], pieces: list[Any]) -> None:
    scenario = {**scenario, "scheduler": {**scenario["scheduler"], "with": pieces}}
    whole, first, second = market_of(scenario), market_of(scenario), market_of(scenario)
    for _ in range(17):
        whole.advance()
        first.advance()
    second.state = deepcopy(first.state)
    for _ in range(23):
        whole.advance()
        second.advance()
        for name, x, y in zip(MarketTick._fields, whole.last_tick, second.last_tick, strict=True):
            np.testing.assert_array_equal(x, y, err_msg=name)


def test_what_is_recorded_of_a_tick_is_never_changed_by_the_next() -> None:
    for scenario in (TUPPERWARE, TOWN):
        market = market_of(scenario)
        seen: list[MarketTick] = []
        copies: list[MarketTick] = []
        for _ in range(10):
            market.advance()
            seen.append(market.last_tick)
            copies.append(deepcopy(market.last_tick))
        for now, then in zip(seen, copies, strict=True):
            for name, x, y in zip(MarketTick._fields, now, then, strict=True):
                np.testing.assert_array_equal(x, y, err_msg=name)


@cache
def plain_town() -> Run:
    return simulate({**TOWN, "run": {**TOWN["run"], "ticks": 60}})


@pytest.mark.slow
@settings(max_examples=5)
@given(st.randoms(use_true_random=False))
def test_the_order_of_a_file_does_not_matter(random: Any) -> None:
    plain = plain_town()
    shuffled = deepcopy(TOWN)
    for key in ("goods", "firms", "consumers"):
        random.shuffle(shuffled[key])
    for consumer in shuffled["consumers"]:
        for key in ("endowment", "owns"):
            entries = list(consumer.get(key, {}).items())
            random.shuffle(entries)
            consumer[key] = dict(entries)
    other = simulate({**shuffled, "run": {**TOWN["run"], "ticks": 60}})
    for name, keys in (
        ("trajectory", ["tick", "good"]),
        ("ticks", ["tick"]),
        ("agents", ["tick", "agent", "good"]),
        ("wedges", ["tick", "firm", "input"]),
    ):
        a, b = (getattr(run, name).set_index(keys).sort_index() for run in (plain, other))
        assert a.index.equals(b.index)
        for column in a.columns.drop("kind", errors="ignore"):
            if "imbalance" in column or column == "walras_residual":
                assert max(a[column].max(), b[column].max()) < 1e-13
                continue
            np.testing.assert_allclose(a[column], b[column], rtol=1e-12, atol=1e-12, err_msg=f"{name}.{column}")
