"""Firms that climb marginal profit: another way to the same equilibria, and a way that turns."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pytest

from simulator import Plugins, ScenarioError
from tests.house import (
    BestResponse,
    Economy,
    Entry,
    FormulaTechnology,
    GoodName,
    MarginalAdjustment,
    Production,
    Run,
    dump,
    load,
    parse,
    simulate,
)


@dataclass(frozen=True)
class Brewing(Production):
    """`y = 2 x^0.5 + z^0.5`, somebody else's technology."""

    def output_of_one(self, inputs: np.ndarray) -> np.ndarray:
        return 2.0 * np.sqrt(inputs[..., 0]) + np.sqrt(inputs[..., 1])

    def best_response_of_one(self, price: float, input_prices: np.ndarray) -> np.ndarray:
        return (price * np.array([[1.0, 0.5]]) / input_prices) ** 2


class Brewery(Entry):
    meaning: ClassVar[str] = "y = 2 x^0.5 + z^0.5"
    output: GoodName
    inputs: list[GoodName]

    def goods(self) -> tuple[str, ...]:
        return tuple(self.inputs)

    def build(self, read: Any) -> Brewing:
        return Brewing()


TECHNIQUES: dict[str, dict[str, Any]] = {
    "formula": {"makes": "beer = 3*malt^0.4*water^0.2"},
    "corner": {"makes": "beer = 2*sqrt(malt) + ln(1 + 0.1*water)"},
    "cobb_douglas": {"technology": {"cobb_douglas": {"output": "beer", "inputs": {"malt": 0.4, "water": 0.2}}}},
    "ces": {
        "technology": {
            "ces": {"output": "beer", "elasticity": 0.5, "returns_to_scale": 0.7, "inputs": {"malt": 2, "water": 1}}
        }
    },
    "leontief": {
        "technology": {"leontief": {"output": "beer", "returns_to_scale": 0.6, "inputs": {"malt": 1, "water": 3}}}
    },
    "power": {"technology": {"power": {"output": "beer", "inputs": {"malt": 0.5}}}},
    "from_outside": {"technology": {"brewing": {"output": "beer", "inputs": ["malt", "water"]}}},
    "several": {"makes": "beer = 3*malt^0.4*water^0.2", "count": 7},
    "unlike": {"makes": "beer = 3*malt^0.4*water^0.2", "count": 7, "productivity": {"uniform": [0.5, 2]}},
}
KINDS = Plugins(technologies={"brewing": Brewery})


def brewery(technique: dict[str, Any], rate: float = 0.2, **changes: Any) -> dict[str, Any]:
    """Somebody who brews for the outside, and somebody who bathes: malt and water each have two uses."""
    return {
        "goods": ["malt", "water", "beer", "bath"],
        "outside": {"beer": 1, "bath": 0.5},
        "supply": {"malt": 4, "water": 9},
        "firms": [
            {"name": "brewer", **technique, "behaviour": {"marginal_adjustment": {"rate": rate}}},
            {"name": "bather", "makes": "bath = 2*water^0.5*malt^0.1"},
        ],
        "initial_prices": {"malt": 0.2, "water": 0.2},
        "run": {"ticks": 3000, "tolerance": 1e-9},
        **changes,
    }


def with_best_response(data: dict[str, Any]) -> dict[str, Any]:
    firms = [{key: value for key, value in firm.items() if key != "behaviour"} for firm in data["firms"]]
    return {**data, "firms": firms}


def prices(run: Run) -> np.ndarray:
    return run.trajectory.pivot_table("price", "tick", "good", sort=False).to_numpy()


@pytest.mark.parametrize("trade", [pytest.param("every_tick", marks=pytest.mark.slow), "at_equilibrium"])
@pytest.mark.parametrize("name", TECHNIQUES)
def test_it_comes_to_rest_where_the_best_response_does(name: str, trade: str) -> None:
    run = {"ticks": 3000, "tolerance": 1e-9, "record_every": 10}
    data = brewery(TECHNIQUES[name], 0.6, trade=trade, scheduler={"rate": 0.2}, run=run)
    climbing = simulate(data, plugins=KINDS)
    best = simulate(with_best_response(data), plugins=KINDS, references=False)
    assert climbing.summary["outcome"] == best.summary["outcome"] == "cleared"
    np.testing.assert_allclose(prices(climbing)[-1], prices(best)[-1], rtol=3e-8)
    assert climbing.summary["price_gap"] < 1e-8
    np.testing.assert_array_equal(prices(climbing)[0], prices(best)[0])
    assert np.max(np.abs(prices(climbing)[1] / prices(best)[1] - 1)) > 1e-3


@pytest.mark.parametrize("name", [name for name in TECHNIQUES if name != "corner"])
def test_wedges_open_on_the_way_and_close_at_rest(name: str) -> None:
    data = brewery(TECHNIQUES[name], trade="at_equilibrium")
    frame = simulate(data, plugins=KINDS, references=False).wedges
    wedge = (frame["wedge"] / frame["price"])[frame["firm"] == "brewer"].groupby(frame["tick"]).max().abs()
    assert wedge.loc[3] > 0.01
    assert wedge.iloc[-1] < 1e-7


def test_an_input_comes_back_once_its_first_unit_pays() -> None:
    changes = {"initial_prices": {"malt": 0.2, "water": 5}, "supply": {"malt": 4, "water": 900}}
    data = brewery(TECHNIQUES["corner"], trade="at_equilibrium", **changes)
    run = simulate(data)
    water = run.agents.query("agent == 'brewer' and good == 'water'").set_index("tick")["input"]
    assert water[0] == 0.0
    assert run.summary["outcome"] == "cleared"
    assert water.iloc[-1] > 1.0


@pytest.mark.parametrize("rate", [0.05, 0.7, 10.0])
@pytest.mark.parametrize("name", TECHNIQUES)
def test_no_step_exceeds_the_rate_nor_lowers_profit(name: str, rate: float) -> None:
    firm = load(brewery(TECHNIQUES[name]), plugins=KINDS).economy.firms[0]
    technology, stream, inside = firm.technology, np.random.default_rng(1), 0
    for _ in range(40):
        price, *input_prices = np.exp(stream.normal(0, 0.7, 1 + len(firm.inputs))).tolist()
        inputs = firm.count * np.exp(stream.normal(0, 1.0, (firm.rows, len(firm.inputs))))
        plan = MarginalAdjustment(rate).plan(technology, price, input_prices, inputs, first=False)
        assert np.max(np.abs(np.log(plan.inputs / inputs))) <= rate * (1 + 1e-12)
        np.testing.assert_array_equal(plan.output, technology.output(plan.inputs))
        profit = [price * technology.output(x) - x @ input_prices for x in (inputs, plan.inputs)]
        best = technology.best_response(price, input_prices, inputs)
        least = np.minimum(profit[0], price * best.output - best.inputs @ input_prices)
        inside += np.sum(profit[1] > least)
        # Towards the best response profit need not rise at every point of the way, but not below where it began.
        assert np.all(profit[1] >= least - 1e-9 * (np.abs(least) + 1))
    assert inside > 20


def test_fixed_proportions_that_change_are_found_again() -> None:
    data = brewery(
        TECHNIQUES["leontief"], shocks=[{"tick": 300, "set": {"firms.brewer.technology.leontief.inputs.water": 2}}]
    )
    run = simulate(data)
    assert run.summary["outcome"] == "cleared"
    used = run.agents.query("agent == 'brewer'").set_index(["tick", "good"])["input"]
    last = run.summary["ticks"]
    assert used[299, "water"] == pytest.approx(3 * used[299, "malt"], rel=1e-7)
    assert used[last, "water"] == pytest.approx(2 * used[last, "malt"], rel=1e-7)


@pytest.mark.parametrize(
    "name",
    [pytest.param("formula", marks=pytest.mark.slow), "power", pytest.param("ces", marks=pytest.mark.slow), "leontief"],
)
def test_quick_quantities_under_slow_prices_are_the_best_response(name: str) -> None:
    slow = {"scheduler": {"rate": 0.002}, "run": {"ticks": 400}, "trade": "at_equilibrium", "expect": "out_of_ticks"}
    best = prices(simulate(with_best_response(brewery(TECHNIQUES[name], **slow)), references=False))
    gaps = [
        float(np.max(np.abs(prices(simulate(brewery(TECHNIQUES[name], rate, **slow), references=False)) / best - 1)))
        for rate in (0.02, 0.2, 2.0)
    ]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 2e-3


SMELTER = {
    "goods": ["ore", "iron"],
    "outside": {"iron": 1},
    "supply": {"ore": 4},
    "firms": [{"name": "smelter", "makes": "iron = 2*sqrt(ore)"}],
    "initial_prices": {"ore": 0.6},
    "trade": "at_equilibrium",
}


def log_gaps(price_rate: float, quantity_rate: float | None, ticks: int) -> np.ndarray:
    """`ln p - ln p*` of ore by tick, where `p* = 4^-0.5`."""
    behaviour = {} if quantity_rate is None else {"behaviour": {"marginal_adjustment": {"rate": quantity_rate}}}
    data = {
        **SMELTER,
        "firms": [{**SMELTER["firms"][0], **behaviour}],
        "scheduler": {"rate": price_rate},
        "run": {"ticks": ticks, "stop": "never", "references": "off"},
        "expect": ["cleared", "out_of_ticks"],
    }
    return np.log(prices(simulate(data))[:, 0] / 0.5)


def test_slow_quantities_turn_the_path_into_a_spiral() -> None:
    """Near rest `d ln x = rho (-ln x/2 - ln p)`, `d ln p = eta ln x`, in logarithms relative to the equilibrium."""
    eta = rho = 0.01
    eigenvalues = np.linalg.eigvals(np.array([[-rho / 2, -rho], [eta, 0.0]]))
    turn = abs(eigenvalues[0].imag)
    assert turn > 0
    spiral, straight = log_gaps(eta, rho, 2000), log_gaps(eta, None, 2000)
    assert np.all(straight[:-1] >= straight[1:])
    assert np.all(straight > 0)
    assert spiral.min() < -0.03
    # The first half turn is too wide to be linear.
    crossings = np.flatnonzero(np.diff(np.sign(spiral)) != 0)[1:]
    assert len(crossings) >= 4
    np.testing.assert_allclose(np.diff(crossings), np.pi / turn, rtol=0.05)
    shrinks = np.array([np.max(np.abs(spiral[a:b])) for a, b in pairwise(crossings)])
    np.testing.assert_allclose(np.diff(np.log(shrinks)), eigenvalues[0].real * np.pi / turn, rtol=0.05)


def test_quick_quantities_do_not_turn_it() -> None:
    """Real eigenvalues: `rho > 16 eta`."""
    assert np.all(np.isreal(np.linalg.eigvals(np.array([[-0.2 / 2, -0.2], [0.01, 0.0]]))))
    assert np.all(log_gaps(0.01, 0.2, 2000) > -1e-12)


def test_a_firm_that_idles_heads_for_its_best_response() -> None:
    technology, few = FormulaTechnology(parse("ln(ore)")), np.array([[0.5]])
    assert np.isnan(technology.marginal_product(few, np.ones(1))).all()
    climb = MarginalAdjustment(0.1)
    assert climb.plan(technology, 1.0, [0.1], few, first=False).inputs[0, 0] == pytest.approx(0.5 * np.exp(0.1))
    assert climb.plan(technology, 1.0, [5.0], few, first=False).inputs[0, 0] == pytest.approx(0.5 * np.exp(-0.1))
    idle = np.zeros((1, 1))
    begun = climb.plan(technology, 1.0, [0.1], idle, first=False)
    best = BestResponse().plan(technology, 1.0, [0.1], idle, first=False)
    assert begun.inputs == pytest.approx((1 - np.exp(-0.1)) * best.inputs)


def test_it_is_written_read_and_refused_like_any_other_kind() -> None:
    data = brewery(TECHNIQUES["formula"])
    scenario = load(data)
    again = load(scenario.resolved)
    assert again.resolved == scenario.resolved
    assert "marginal_adjustment:" in dump(scenario.resolved)
    assert scenario.economy.firms[0].behaviour == MarginalAdjustment(0.2)
    economy: Economy = load(data, settings={"firms.brewer.behaviour.marginal_adjustment.rate": 0.5}).economy
    assert economy.firms[0].behaviour == MarginalAdjustment(0.5)


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("marginal_adjustment", "expected best_response, activity or {marginal_adjustment: rate}"),
        ({"marginal_adjustment": {}}, "missing key"),
        ({"marginal_adjustment": {"rate": 0}}, "expected a number above 0"),
        ({"marginal_adjustment": {"rate": 11}}, "expected a number of at most 10"),
        ({"marginal_adjustment": {"speed": 1}}, "unknown key 'speed'"),
        ({"marginal_adjustment": {"rate": 1}, "best_response": True}, "one of"),
    ],
)
def test_what_it_is_not(behaviour: Any, message: str) -> None:
    data = brewery(TECHNIQUES["formula"])
    data["firms"][0]["behaviour"] = behaviour
    with pytest.raises(ScenarioError, match=message.replace("{", r"\{")):
        load(data)
