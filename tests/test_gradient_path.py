"""Tatonnement is gradient descent where a potential exists: two roads to one path, and each can be broken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.builders import market_of
from tests.economies import BAZAAR_CONSUMERS, FARM_AND_BAKERY, QUASI_LINEAR
from tests.faults import Inject
from tests.house import (
    CES,
    CobbDouglas,
    Decay,
    Economy,
    FormulaTechnology,
    GradientPath,
    Leontief,
    Market,
    Merit,
    Momentum,
    OwnSlope,
    Plan,
    Scenario,
    Tatonnement,
    load,
    reference,
)

CHAIN = {
    "goods": ["gas", "ethylene", "plastic", "box"],
    "outside": {"box": 1},
    "supply": {"gas": 4},
    "firms": [
        {"name": "A", "makes": "ethylene = sqrt(gas)"},
        {"name": "B", "makes": "plastic = 1 - 1/(ethylene + 1)"},
        {"name": "C", "makes": "box = ln(plastic)"},
    ],
    "initial_prices": {"gas": 0.1, "ethylene": 0.1, "plastic": 1},
}
NETWORK = {
    "goods": ["labour", "coal", "steel", "car"],
    "outside": {"car": 2},
    "supply": {"labour": 5, "coal": 1},
    "firms": [
        {"name": "mine", "makes": "coal = 1.5*labour^0.4*steel^0.2"},
        {"name": "mill", "makes": "steel = 1.2*coal^0.5*labour^0.2"},
        {"name": "maker", "makes": "car = 2*steel^0.5*labour^0.3"},
    ],
}
FISHER_CONSUMERS = {
    "ces": {"ces": {"elasticity": 0.5, "shares": {"apples": 1, "pears": 2, "figs": 1}}},
    "substitutes": {"ces": {"elasticity": 3, "shares": {"apples": 1, "pears": 2, "figs": 1}}},
    "cobb_douglas": {"cobb_douglas": {"apples": 0.2, "pears": 0.2, "figs": 0.6}},
    "leontief": {"leontief": {"apples": 1, "figs": 2}},
}
FISHER = {
    "goods": ["apples", "pears", "figs"],
    "supply": {"apples": 10, "pears": 6, "figs": 3},
    "consumers": [
        {"name": name, "budget": budget, "utility": utility}
        for budget, (name, utility) in zip((10, 4, 3, 2), FISHER_CONSUMERS.items(), strict=True)
    ],
    "initial_prices": {"apples": 2, "figs": 0.5},
}
FISHER_WITH_FIRMS = {
    "goods": ["labour", "grain", "bread"],
    "supply": {"labour": 3, "grain": 0.5},
    "firms": FARM_AND_BAKERY,
    "consumers": [
        {"name": "a", "budget": 2, "utility": {"cobb_douglas": {"bread": 2, "labour": 1}}},
        {"name": "b", "budget": 1, "utility": {"leontief": {"bread": 1, "grain": 1}}},
    ],
}
ALIKE = {
    "goods": ["labour", "grain", "bread"],
    "firms": FARM_AND_BAKERY,
    "consumers": [
        {
            "name": name,
            "utility": {"ces": {"elasticity": 0.4, "shares": {"labour": 1, "grain": 1, "bread": 2}}},
            "endowment": endowment,
            "owns": {"farm": 0.5, "bakery": 0.5},
        }
        for name, endowment in (("a", {"labour": 2}), ("b", {"labour": 1, "grain": 0.7}))
    ],
}
PROPORTIONAL = {
    "goods": ["x", "y", "z"],
    "consumers": [
        {
            "name": "a",
            "utility": {"cobb_douglas": {"x": 1, "y": 2}},
            "endowment": {"x": 1, "y": 2, "z": 3},
        },
        {"name": "b", "utility": {"leontief": {"y": 1, "z": 2}}, "endowment": {"x": 0.5, "y": 1, "z": 1.5}},
        {
            "name": "c",
            "utility": {"ces": {"elasticity": 2.5, "shares": {"x": 1, "z": 1}}},
            "endowment": {"x": 2, "y": 4, "z": 6},
        },
    ],
}
MONEY = {"chain": CHAIN, "network": NETWORK, "fisher": FISHER, "fisher-firms": FISHER_WITH_FIRMS, "log": QUASI_LINEAR}
WEALTH = {"alike": ALIKE, "proportional": PROPORTIONAL}
POTENTIAL = {**MONEY, **WEALTH}
EXCHANGE = {
    "goods": ["x", "y", "z"],
    "numeraire": "x",
    "consumers": BAZAAR_CONSUMERS,
}
PIECES: list[Any] = [[], [{"momentum": 0.5}], [{"clip": 0.02}], [{"momentum": 0.4}, {"clip": 0.03}]]
OPTIMISERS: list[Any] = [
    [{"nesterov": 0.5}],
    [{"rmsprop": {"epsilon": 0.1}}],
    [{"adam": {"epsilon": 0.1}}],
    [{"pd": 1}],
    ["extragradient"],
    ["averaging"],
    [{"delay": 3}, {"warmup": 10}],
    ["sequential"],
    [{"momentum": -0.3}, "random_order"],
    [{"momentum": 0.3}, {"bernoulli": 0.5}],
    [{"anderson": {"depth": 1}}],
    [{"delay": {"own": 0, "neighbours": 3}}],
    [{"delay": {"own": 2, "neighbours": 1}}, {"momentum": 0.3}],
    ["newton", {"clip": 0.01}],
    [{"symplectic": 0.1}, {"cosine": 30}],
    [{"consensus": 0.001}],
]
FORMS = {"additive": 0.01, "multiplicative": 0.1}


def loaded(data: dict[str, Any], form: str, pieces: Any = (), rate: float | None = None, **changes: Any) -> Scenario:
    scheduler = {"form": form, "rate": FORMS[form] if rate is None else rate, "with": list(pieces)}
    return load({**data, "scheduler": scheduler, **changes})


def path_of(scenario: Scenario) -> GradientPath:
    return GradientPath(scenario.economy, reference(scenario.economy), scenario.rule, scenario.initial_prices)


def with_pieces(scenario: Scenario, *pieces: Any) -> Scenario:
    rule = replace(scenario.rule, pieces=pieces)
    return replace(scenario, scheduler=replace(scenario.scheduler, rule=rule))


def by_own_slope(scenario: Scenario, *more: Any) -> Scenario:
    return with_pieces(scenario, OwnSlope(), *more)


def parting(scenario: Scenario, ticks: int) -> float:
    """Largest relative gap between the market's path and the descent's."""
    market, path = market_of(scenario), path_of(scenario)
    worst = 0.0
    for tick in range(ticks):
        market.advance()
        worst = max(worst, float(np.max(np.abs(path.advance(tick) / market.prices - 1.0))))
    assert np.max(np.abs(market.prices / scenario.initial_prices - 1.0)) > 0.01
    return worst


@pytest.mark.parametrize("pieces", PIECES, ids=str)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", POTENTIAL)
def test_the_auctioneer_s_path_is_gradient_descent(name: str, form: str, pieces: Any) -> None:
    scenario = loaded(POTENTIAL[name], form, pieces, trade="at_equilibrium")
    assert reference(scenario.economy).kind == "potential"
    assert parting(scenario, 150) <= 1e-11


@pytest.mark.parametrize("pieces", OPTIMISERS, ids=str)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["network", "fisher", pytest.param("alike", marks=pytest.mark.slow)])
def test_whatever_the_rule_it_descends_as_the_market_does(name: str, form: str, pieces: Any) -> None:
    """Chance included: it is drawn from the seed and the tick."""
    assert parting(loaded(POTENTIAL[name], form, pieces, trade="at_equilibrium", run={"seed": 5}), 40) <= 1e-9


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", MONEY)
def test_trading_does_not_change_the_path_where_plans_do_not_depend_on_it(name: str, form: str) -> None:
    assert parting(loaded(MONEY[name], form, [{"momentum": 0.3}]), 150) <= 1e-11


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", POTENTIAL)
def test_steps_by_the_own_slope_go_by_the_potential_s_second_derivative(name: str, form: str) -> None:
    scenario = by_own_slope(loaded(POTENTIAL[name], form, trade="at_equilibrium"), Momentum(0.3), Decay(0.1, over=10))
    assert parting(scenario, 100) <= 1e-10


@pytest.mark.parametrize("name", POTENTIAL)
def test_the_slope_of_the_descent_is_that_of_its_own_signal(name: str) -> None:
    economy = loaded(POTENTIAL[name], "additive").economy
    function, guess = reference(economy), economy.first_guess()
    prices = np.exp(np.random.default_rng(2).normal(0, 0.3, len(economy.goods)))
    slope = function.descent(prices, guess, jacobian=True).slope
    assert slope is not None
    assert function.descent(prices, guess).slope is None
    for good in np.flatnonzero(~economy.is_outside):
        nudge = np.zeros(len(prices))
        nudge[good] = 1e-5 * prices[good]
        ahead, behind = (function.descent(prices + side * nudge, guess).signal[good] for side in (1, -1))
        assert slope[good] == pytest.approx((ahead - behind) / (2 * nudge[good]), rel=1e-6)


@pytest.mark.parametrize("name", WEALTH)
def test_a_numeraire_does_not_change_what_is_descended(name: str) -> None:
    numeraire = WEALTH[name]["goods"][0]
    scenario = loaded(WEALTH[name], "multiplicative", numeraire=numeraire, trade="at_equilibrium")
    assert parting(scenario, 300) <= 1e-11


def test_where_no_potential_exists_the_paths_part() -> None:
    scenario = loaded(EXCHANGE, "multiplicative", trade="at_equilibrium")
    assert reference(scenario.economy).kind == "merit"
    assert parting(scenario, 100) > 1e-3


def more(quantities: np.ndarray, *_: Any) -> np.ndarray:
    return quantities * (1 + 1e-7)


@pytest.mark.parametrize(
    ("form", "utility"),
    [
        (CES, FISHER_CONSUMERS["ces"]),
        (CobbDouglas, FISHER_CONSUMERS["cobb_douglas"]),
        (Leontief, FISHER_CONSUMERS["leontief"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_demand_parts_the_paths(inject: Inject, form: type, utility: Any) -> None:
    buyers = [{"name": "a", "budget": 5, "utility": utility}]
    scenario = loaded({**FISHER, "consumers": buyers}, "multiplicative")
    assert parting(scenario, 30) <= 1e-13
    inject(form, "demand", more)
    assert parting(scenario, 30) > 1e-9


def test_a_broken_quasi_linear_demand_parts_the_paths(inject: Inject) -> None:
    inject(CobbDouglas, "demand", more)
    assert parting(loaded(QUASI_LINEAR, "multiplicative"), 30) > 1e-9


@pytest.mark.parametrize("name", ["network", "fisher-firms", "log", "alike"])
@pytest.mark.parametrize("part", ["inputs", "output"])
def test_a_broken_best_response_parts_the_paths(inject: Inject, name: str, part: str) -> None:
    def broken(plan: Plan, *_: Any) -> Plan:
        return plan._replace(**{part: getattr(plan, part) * (1 + 1e-7)})

    inject(FormulaTechnology, "best_response", broken)
    assert parting(loaded(POTENTIAL[name], "multiplicative", trade="at_equilibrium"), 30) > 1e-9


def test_a_broken_plan_in_plain_floats_parts_the_paths(inject: Inject) -> None:
    inject(FormulaTechnology, "plan_one", lambda plan, *_: (plan[0] * (1 + 1e-7), plan[1]))
    assert parting(loaded(CHAIN, "multiplicative"), 30) > 1e-9


@pytest.mark.parametrize("name", POTENTIAL)
def test_the_signal_is_minus_the_potential_s_derivative(name: str) -> None:
    """By central differences of the value alone; per unit of wealth where wealth scales it."""
    economy = loaded(POTENTIAL[name], "additive").economy
    function, guess = reference(economy), economy.first_guess()
    stream = np.random.default_rng(1)
    for _ in range(5):
        prices = np.exp(stream.normal(0, 0.3, len(economy.goods)))
        seen = function.descent(prices, guess)
        balance = economy.balance(prices)
        wealth = sum(float(income.sum()) for income in balance.incomes) if name in WEALTH else 1.0
        for good in np.flatnonzero(~economy.is_outside):
            nudge = np.zeros(len(prices))
            nudge[good] = 1e-5 * prices[good]
            ahead, behind = (function.descent(prices + side * nudge, guess).value for side in (1, -1))
            slope = (ahead - behind) / (2 * nudge[good])
            assert seen.signal[good] == pytest.approx(-wealth * slope, rel=1e-6, abs=1e-7 * wealth)


def largest_curvature(economy: Economy, form: str, here: np.ndarray, there: np.ndarray, free: np.ndarray) -> float:
    """Of `V` on the segment travelled: in prices, or in log prices per unit of `p s` where the step began."""
    worth = here * economy.balance(here).scale
    worst = 0.0
    for part in np.linspace(0.0, 1.0, 7):
        prices = here + part * (there - here)
        if form == "multiplicative":
            prices = here * (there / here) ** part
        balance = economy.balance(prices)
        curvature = -economy.jacobian(balance)
        if form == "multiplicative":
            curvature = prices[:, None] * curvature * prices - np.diag(prices * balance.excess_demand)
        block = curvature[np.ix_(free, free)]
        if form == "multiplicative":
            block = block / np.sqrt(worth[free, None] * worth[free])
        worst = max(worst, float(np.linalg.eigvalsh(0.5 * (block + block.T))[-1]))
    return worst


@pytest.mark.parametrize("rate", [0.02, 0.3, 1.0])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", MONEY)
def test_the_potential_falls_wherever_the_step_is_short_enough(name: str, form: str, rate: float) -> None:
    scenario = loaded(MONEY[name], form, rate=rate if form == "multiplicative" else 0.1 * rate)
    economy, market, function = scenario.economy, market_of(scenario), reference(scenario.economy)
    free = np.flatnonzero(~scenario.rule.fixed)
    judged = 0
    for _ in range(30):
        market.advance()
        here, there = market.prices, np.asarray(market.last_tick.next_prices)
        if not np.isfinite(there).all() or np.any(there <= 1e-9) or np.max(np.abs(there / here - 1)) < 1e-6:
            break
        if scenario.rule.rate * largest_curvature(economy, form, here, there, free) < 2.0:
            judged += 1
            guess = market.planned_inputs
            assert function.descent(there, guess).value < function.descent(here, guess).value
    assert judged > 0 or rate > 0.02


def test_the_merit_falls_at_small_steps_where_there_is_no_potential() -> None:
    for form, rate in (("multiplicative", 0.05), ("additive", 0.02)):
        scenario = loaded(EXCHANGE, form, rate=rate)
        path = path_of(scenario)
        assert isinstance(path.reference, Merit)
        values: list[float] = []
        for tick in range(1500):
            value = path.reference.descent(path.advance(tick), scenario.economy.first_guess()).value
            assert value is not None
            values.append(float(value))
        falling = np.array(values)[np.array(values) > 1e-20]
        assert len(falling) > 50
        assert np.all(np.diff(falling) < 0)
        assert values[-1] < 1e-6 * values[0]


@pytest.mark.parametrize("name", POTENTIAL)
def test_the_reference_never_asks_the_market(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    scenario = loaded(POTENTIAL[name], "multiplicative", trade="at_equilibrium")
    market = market_of(scenario)
    for _ in range(101):
        market.advance()

    def forbidden(*arguments: Any, **more: Any) -> Any:
        raise AssertionError("the market was asked")

    for owner, names in (
        (Market, ("__init__", "advance")),
        (Tatonnement, ("start", "step", "_tick")),
        (FormulaTechnology, ("best_response", "plan_one")),
        (CES, ("demand",)),
        (CobbDouglas, ("demand",)),
        (Leontief, ("demand",)),
    ):
        for method in names:
            monkeypatch.setattr(owner, method, forbidden)
    np.testing.assert_allclose(path_of(scenario).advance(100), market.prices, rtol=1e-12)


@pytest.mark.parametrize("pieces", [(Momentum(0.4),), (OwnSlope(), Decay(0.5, over=20), Momentum(0.4))], ids=str)
def test_a_path_taken_up_again_goes_on_to_the_last_bit(pieces: Any) -> None:
    scenario = loaded(NETWORK, "multiplicative")
    scenario = with_pieces(scenario, *pieces)
    whole, first, second = path_of(scenario), path_of(scenario), path_of(scenario)
    first.advance(40)
    second.restore(first.state())
    assert np.array_equal(whole.advance(90), second.advance(90))
    assert whole.tick == second.tick == 90
