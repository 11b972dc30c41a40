"""Solving for equilibria: published economies beside SciPy's `root` from the same start, Fisher markets beside a convex
programme (cvxpy), and how the time grows with the number of goods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.harness import Columns, Group, Groups, Line, Side
from simulator.economics.forms import Array
from simulator.references.complementarity import Complementarity
from simulator.references.effort import Effort
from simulator.references.equilibrium import search
from simulator.run import simulate
from simulator.scenario import load

Excess = Callable[[Array], Array]
"""What is not 0 off an equilibrium, of logarithms of relative prices (the first good's is 1) and of levels."""


def _named(rows: list[list[float]]) -> list[dict[str, float]]:
    return [{f"g{place}": amount for place, amount in enumerate(row) if amount} for row in rows]


class Exchange:
    """Consumers with tastes `kind` of parameters `rows`, who own endowments, beside `activities`, a row each."""

    def __init__(self, kind: str, rows: list[list[float]], endowments: list[list[float]], **more: Any) -> None:
        self.kind, self.rows, self.owned = kind, np.array(rows), np.array(endowments)
        self.elasticity, self.activities = more.get("elasticity", 1.0), np.array(more.get("activities", []))
        self.start = np.array(more.get("start", np.linspace(0.0, 0.5, self.owned.shape[1])))
        """Logarithms of the prices at which both begin; levels are 1."""

    def scenario(self) -> dict[str, Any]:
        """As a scenario."""
        tastes: list[dict[str, Any]] = _named(self.rows.tolist())
        if self.kind == "ces":
            tastes = [{"elasticity": self.elasticity, "shares": taste} for taste in tastes]
        owned = _named(self.owned.tolist())
        consumers = [
            {"name": f"c{place}", "utility": {self.kind: taste}, "endowment": endowment}
            for place, (taste, endowment) in enumerate(zip(tastes, owned, strict=True))
        ]
        firms = [
            {"name": f"f{place}", "technology": {"activity": vector}}
            for place, vector in enumerate(_named(self.activities.tolist()))
        ]
        goods = [f"g{place}" for place in range(self.owned.shape[1])]
        return {"name": "case", "goods": goods, "numeraire": "g0", "consumers": consumers, "firms": firms} | {
            "initial_prices": dict(zip(goods[1:], np.exp(self.start[1:]).tolist(), strict=True))
        }

    def excess(self, logarithms: Array) -> Array:
        """Excess demand for all goods but the first, relative to what there is, then unit profits."""
        goods = self.owned.shape[1]
        prices, levels = np.exp([0.0, *logarithms[: goods - 1]]), np.exp(logarithms[goods - 1 :])
        income = self.owned @ prices
        if self.kind == "leontief":
            demand = (income / (self.rows @ prices))[:, None] * self.rows
        else:
            weights = self.rows * prices ** (1.0 - self.elasticity)
            demand = income[:, None] * weights / weights.sum(axis=1, keepdims=True) / prices
        made = levels @ self.activities if len(levels) else np.zeros(goods)
        short = (demand.sum(axis=0) - self.owned.sum(axis=0) - made) / self.owned.sum(axis=0).max()
        return np.concatenate([short[1:], self.activities @ prices if len(levels) else []])


CASES = {
    "Cobb-Douglas, 3 goods": Exchange("cobb_douglas", [[0.5, 0.25, 0.25], [0.5, 0.1, 0.4]], [[1, 0, 2], [1, 2, 2]]),
    "CES, 2 goods": Exchange("ces", [[1024, 243], [243, 1024]], [[1, 0], [0, 1]], elasticity=0.2),
    "Scarf": Exchange("leontief", [[1, 1, 0], [0, 1, 1], [1, 0, 1]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    "Kehoe's activities": Exchange(
        "cobb_douglas",
        [[0.52, 0.4, 0.04, 0.04], [0.86, 0.1, 0.02, 0.02], [0.5, 0.2, 0.2975, 0.0025], [0.06, 0.25, 0.0025, 0.6875]],
        [[5, 0, 0, 0], [0, 5, 0, 0], [0, 0, 40, 0], [0, 0, 0, 40]],
        activities=[[6, -1, -4, -1], [-1, 3, -1, -1]],
        start=[0.0, 0.4, -1.2, 1.1],
    ),
}


def _ours(case: Exchange) -> Callable[[], Array]:
    return _root(case.scenario())


def _root(data: dict[str, Any]) -> Callable[[], Array]:
    """The equilibrium that one start leads to, the scenario's own prices."""
    scenario = load(data)
    unknowns = replace(scenario.rule.unknowns(scenario.economy), often=True)

    def solve() -> Array:
        found = Complementarity(unknowns, Effort()).root(unknowns.beginning(scenario.initial_prices))
        if found is None or not found.holds:
            raise ValueError("found no equilibrium from the start")
        return found.plans.prices

    return solve


def _scipy(case: Exchange) -> Callable[[], Array]:
    from scipy.optimize import root

    goods = case.owned.shape[1]
    start = np.concatenate([case.start[1:], np.zeros(len(case.activities))])

    def solve() -> Array:
        found = root(case.excess, start, tol=1e-13)
        if not found.success and np.abs(case.excess(found.x)).max() > 1e-9:
            raise ValueError(found.message)
        return np.exp([0.0, *found.x[: goods - 1]])

    return solve


def _prices(found: Array) -> Columns:
    return {"price": found / found[0]}


def _case(of: str, case: Exchange) -> Group:
    sides = {
        "ours": Side(partial(_ours, case), _prices, per=" a solve"),
        "scipy": Side(partial(_scipy, case), _prices, per=" a solve"),
    }
    return Group(sides, [Line(of, "equilibrium from one start, beside SciPy's root", "ours", "scipy")], tolerance=1e-7)


TIGHT = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-9)
"""Tolerances of cvxpy's solver, whose prices are then good to five digits or four."""


class Fisher:
    """Buyers with budgets and CES tastes (linear ones where the elasticity is infinite) of a unit of every good."""

    def __init__(self, buyers: int, goods: int, elasticity: float) -> None:
        stream = np.random.default_rng(buyers * goods)
        self.weights, self.budgets = stream.uniform(0.1, 1.0, (buyers, goods)), stream.uniform(1.0, 5.0, buyers)
        self.elasticity = elasticity

    def scenario(self) -> dict[str, Any]:
        """As a scenario."""
        tastes = _named(self.weights.tolist())
        consumers = [
            {"name": f"c{place}", "budget": float(budget), "utility": self._utility(taste)}
            for place, (budget, taste) in enumerate(zip(self.budgets, tastes, strict=True))
        ]
        goods = [f"g{place}" for place in range(self.weights.shape[1])]
        return {"name": "fisher", "goods": goods, "supply": dict.fromkeys(goods, 1.0), "consumers": consumers} | {
            "scheduler": {"form": "additive", "rate": 0.1}
        }

    def _utility(self, weights: Mapping[str, float]) -> dict[str, Any]:
        if np.isinf(self.elasticity):
            return {"linear": weights}
        return {"ces": {"elasticity": self.elasticity, "weights": weights}}

    def programme(self) -> Callable[[], Array]:
        """Eisenberg and Gale's convex programme: the prices are the multipliers of what there is."""
        import cvxpy

        rho = 1.0 if np.isinf(self.elasticity) else 1.0 - 1.0 / self.elasticity
        bought = cvxpy.Variable(self.weights.shape, nonneg=True)
        parts = bought if rho == 1.0 else cvxpy.power(bought, rho)
        utility = cvxpy.sum(cvxpy.multiply(self.weights, parts), axis=1)
        enough = cvxpy.sum(bought, axis=0) <= 1.0
        whole = cvxpy.Problem(cvxpy.Maximize(self.budgets / rho @ cvxpy.log(utility)), [enough])

        def solve() -> Array:
            whole.solve(solver="CLARABEL", **TIGHT)
            return np.asarray(enough.dual_value)

        return solve


def _market(case: Fisher) -> Callable[[], Array]:
    if np.isfinite(case.elasticity):
        return _root(case.scenario())
    scenario = load(case.scenario())
    return lambda: search(scenario.economy, scenario.rule, [scenario.initial_prices]).equilibria[0].prices


def _fisher(of: str, buyers: int, goods: int, elasticity: float) -> Group:
    case = Fisher(buyers, goods, elasticity)
    sides = {
        "ours": Side(partial(_market, case), lambda prices: {"price": prices}, per=" a solve"),
        "cvxpy": Side(case.programme, lambda prices: {"price": prices}, per=" a solve"),
    }
    line = Line(of, "equilibrium of a Fisher market, beside cvxpy's programme", "ours", "cvxpy", faster=True)
    return Group(sides, [line], tolerance=1e-4, needs=("cvxpy",))


def traders(goods: int) -> dict[str, Any]:
    """A quarter as many traders as goods, who own and want all of them, in shares of their own."""
    stream, names = np.random.default_rng(goods), [f"g{place}" for place in range(goods)]

    def amounts() -> dict[str, float]:
        return dict(zip(names, stream.uniform(0.1, 1.0, goods).tolist(), strict=True))

    consumers = [
        {"name": f"c{place}", "utility": {"cobb_douglas": amounts()}, "endowment": amounts()}
        for place in range(max(2, goods // 4))
    ]
    return {"name": "traders", "goods": names, "consumers": consumers, "trade": "at_equilibrium"}


def _solved(goods: int) -> Side:
    scenario = load(traders(goods))

    def work() -> Array:
        return search(scenario.economy, scenario.rule, [scenario.initial_prices]).equilibria[0].prices

    return Side(lambda: work, lambda prices: {"one": prices[:1] > 0}, per=" a solve")


def _ticked(goods: int, count: int) -> Side:
    settings = {"run.ticks": count, "run.stop": "never"}

    def start() -> Callable[[], Any]:
        return partial(simulate, load(traders(goods), settings=settings))

    return Side(start, lambda run: {"one": np.ones(1)}, units=count, per=" a tick")


def _growth(sizes: tuple[int, ...], count: int) -> Group:
    """How much longer a search, and a run with all references, take at more goods."""
    kinds = {"every equilibrium": _solved, "a run with references": partial(_ticked, count=count)}
    sides = {f"{kind}, {goods} goods": make(goods) for kind, make in kinds.items() for goods in sizes}
    lines = [
        Line(f"{more} goods", f"{kind}, beside {few} goods", f"{kind}, {more} goods", f"{kind}, {few} goods")
        for kind in kinds
        for few, more in pairwise(sizes)
    ]
    return Group(sides, lines, rounds=2)


def groups(*, quick: bool) -> Groups:
    """The groups by name, small ones if `quick`."""
    fisher = [("CES 2", 10, 10, 2.0), ("linear", 8, 6, np.inf)] + ([] if quick else [("linear", 40, 30, np.inf)])
    made: Groups = {f"solving {of}": partial(_case, of, case) for of, case in CASES.items()}
    for taste, buyers, goods, elasticity in fisher:
        of = f"{buyers} buyers, {goods} goods, {taste}"
        made[f"solving Fisher, {of}"] = partial(_fisher, of, buyers, goods, elasticity)
    made["solving as goods grow in number"] = partial(_growth, (2, 4) if quick else (5, 50, 200), 5 if quick else 50)
    return made
