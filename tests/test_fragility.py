"""Fragility: the change that moves prices most is found, predicted to first order, and beats random ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import load, simulate
from tests.house import (
    ENUMERATED,
    Fragility,
    FragilityError,
    Parameter,
    changed,
    find,
    parameters,
    perturbation,
    perturbation_lines,
)

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
SMOOTH = ["bazaar", "crusoe", "energy", "fisher", "scarf", "subsistence", "village", "blueprint_saddle"]
WITH_SHARES = ["bazaar", "crusoe", "fisher", "subsistence", "village"]


def fragility(source: Any, what: str = "endowments", number: int = 0) -> Fragility:
    scenario = load(SCENARIOS / f"{source}.yaml" if isinstance(source, str) else source)
    found = find(scenario.economy, scenario.rule, [scenario.initial_prices])
    return Fragility(
        scenario.economy,
        scenario.markets,
        scenario.rule,
        found[number],
        parameters(scenario.economy, scenario.markets, what),
    )


def two_by_two(**more: Any) -> dict[str, Any]:
    """Two goods, Cobb-Douglas: `p = N/D`, `N = sum a_k e_k2`, `D = sum (1 - a_k) e_k1`, good 2 the numeraire."""
    consumers = [
        {"name": "c0", "endowment": {"x": 1, "y": 2}, "utility": {"cobb_douglas": {"x": 0.3, "y": 0.7}}},
        {"name": "c1", "endowment": {"x": 2, "y": 1}, "utility": {"cobb_douglas": {"x": 0.6, "y": 0.4}}},
    ]
    return {"name": "statics", "goods": ["x", "y"], "numeraire": "y", "consumers": consumers, **more}


def test_cobb_douglas_exchange_in_closed_form() -> None:
    """Mas-Colell, Whinston and Green, 15.B.1: derivatives of `p = N/D` by endowments and shares."""
    subject = fragility(two_by_two())
    assert [parameter.name for parameter in subject.chosen] == [
        "consumers.c0.endowment.x",
        "consumers.c0.endowment.y",
        "consumers.c1.endowment.x",
        "consumers.c1.endowment.y",
    ]
    # d ln p / d ln e, half of it each good's where logarithms have mean 0.
    slopes = np.array([-0.373333333333 * 1, 0.2 * 2, -0.213333333333 * 2, 0.4 * 1]) / 0.8
    assert subject.sensitivity == pytest.approx(np.array([slopes / 2, -slopes / 2]), abs=1e-11)
    _, size, bound = subject.worst()
    assert size == pytest.approx(np.linalg.norm(slopes) / np.sqrt(2), rel=1e-10)
    assert bound == size
    tastes = fragility(two_by_two(), "tastes").sensitivity
    first, second = 1.86666666667 * 0.3 * 0.7 / 0.8, 1.73333333333 * 0.6 * 0.4 / 0.8
    by_shares = np.array([first, -first, second, -second])
    assert tastes[0] == pytest.approx(by_shares / 2, abs=1e-8)


def test_a_numeraire_changes_nothing() -> None:
    free = two_by_two()
    del free["numeraire"]
    assert fragility(free).sensitivity == pytest.approx(fragility(two_by_two()).sensitivity, abs=1e-12)


@pytest.mark.parametrize("name", SMOOTH)
def test_income_effects_agree_with_differences(name: str) -> None:
    subject, step = fragility(name), 6e-6
    for number, parameter in enumerate(subject.chosen):
        sides = [
            changed(subject.economy, subject.markets, [parameter], np.array([sign * step]))
            .balance(subject.found.prices)
            .excess_demand
            for sign in (1, -1)
        ]
        differences = (sides[0] - sides[1]) / (2 * step)
        scale = subject.found.balance.scale
        assert subject.excess_slopes[:, number] / scale == pytest.approx(differences / scale, abs=1e-8)


@pytest.mark.parametrize(
    ("name", "what"),
    [*((name, "endowments") for name in SMOOTH), *((name, "tastes") for name in WITH_SHARES)],
)
def test_the_prediction_is_right_to_second_order(name: str, what: str) -> None:
    """Halve the change and the gap to the economy solved again falls by four."""
    subject = fragility(name, what)
    direction = subject.random_changes("l2", 1, 5)[0] + subject.worst()[0]
    gaps: list[float] = []
    for size in (0.02, 0.01):
        moved = subject.resolved(size * direction)
        assert moved is not None
        gaps.append(float(np.linalg.norm(moved - subject.sensitivity @ (size * direction))))
    # Where prices are power functions of what changes, the prediction is exact.
    assert gaps[0] < 1e-9 or gaps[0] / gaps[1] == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("norm", ["l2", "sup"])
@pytest.mark.parametrize(
    "name", ["bazaar", *(pytest.param(name, marks=pytest.mark.slow) for name in ("energy", "fisher", "subsistence"))]
)
def test_it_beats_two_hundred_random_changes(name: str, norm: str) -> None:
    told = perturbation(fragility(name), size=0.001, norm=norm, number=200, seed=1)
    assert told["random"]["without_equilibrium"] == 0
    assert told["random"]["predicted"]["largest"] <= told["amplification"] * (1 + 1e-12)
    assert told["random"]["resolved"]["largest"] < told["resolved_amplification"]
    assert told["resolved_amplification"] == pytest.approx(told["amplification"], rel=0.02)


def test_random_changes_have_the_size() -> None:
    subject = fragility("bazaar")
    for norm, order in (("l2", 2), ("sup", np.inf)):
        drawn = subject.random_changes(norm, 50, 3)
        assert np.linalg.norm(drawn, ord=order, axis=1) == pytest.approx(np.ones(50))
        assert np.array_equal(drawn, subject.random_changes(norm, 50, 3))


def many_people(people: int) -> dict[str, Any]:
    stream = np.random.default_rng(7)
    goods = ["a", "b", "c"]
    consumers = [
        {
            "name": f"p{number}",
            "utility": {"cobb_douglas": dict(zip(goods, stream.dirichlet(np.ones(3)).tolist(), strict=True))},
            "endowment": {goods[number % 3]: float(stream.uniform(0.5, 2.0))},
        }
        for number in range(people)
    ]
    return {"name": "many", "goods": goods, "consumers": consumers}


def test_signs_are_tried_all_or_bounded() -> None:
    few, many = fragility(many_people(ENUMERATED)), fragility(many_people(ENUMERATED + 6))
    signs, size, bound = few.worst("sup")
    assert set(np.abs(signs)) == {1.0}
    assert bound == size
    everything = np.linalg.norm(few.sensitivity @ few.random_changes("sup", 2000, 0).T, axis=0)
    assert everything.max() < size
    signs, size, bound = many.worst("sup")
    assert size <= bound
    assert size == pytest.approx(np.linalg.norm(many.sensitivity @ signs))
    # No single sign can be turned to move prices more.
    for place in range(len(signs)):
        turned = np.where(np.arange(len(signs)) == place, -signs, signs)
        assert np.linalg.norm(many.sensitivity @ turned) <= size * (1 + 1e-12)


def test_a_change_is_made_of_its_parameters() -> None:
    scenario = load(SCENARIOS / "fisher.yaml")
    chosen = [
        Parameter("supply.pears", "supply", -1, 1),
        Parameter("consumers.b.budget", "budget", 1, -1),
        Parameter("consumers.a.shares.figs", "shares", 0, 2),
    ]
    other = changed(scenario.economy, scenario.markets, chosen, np.log([2.0, 3.0, 5.0]))
    assert other.supply == pytest.approx([10, 12, 3])
    assert other.consumers[1].budget == pytest.approx([12])
    form: Any = other.consumers[0].utility.form
    assert form.shares == pytest.approx(np.array([[1, 2, 5]]) / 8)


def test_beside_a_fold_little_moves_much() -> None:
    beside, ordinary = (fragility(name, number=number).worst()[1] for name, number in (("fold", 2), ("bazaar", 0)))
    assert beside > 100 * ordinary
    told = perturbation(fragility("fold", number=2), size=0.001, norm="l2", number=5, seed=0)
    assert told["resolved_amplification"] > 4 * told["amplification"]
    assert any("fold" in line for line in perturbation_lines("fold", told))


def test_the_market_beside_a_fold_jumps() -> None:
    run = simulate(SCENARIOS / "fold.yaml")
    first = run.trajectory[run.trajectory["good"] == "first"].set_index("tick")["price"]
    assert run.summary["outcome"] == "cleared"
    assert first.loc[199] == pytest.approx(1.86948, abs=1e-4)
    assert first.iloc[-1] == pytest.approx(0.35522, abs=1e-4)


@pytest.mark.parametrize("floor", [0.0, 1e-12])
def test_a_free_good_stays_free(floor: float) -> None:
    data = {
        "name": "free",
        "goods": {"air": {"floor": floor}, "bread": {}},
        "supply": {"air": 100, "bread": 1},
        "consumers": [{"name": "eater", "budget": 5, "utility": {"leontief": {"air": 1, "bread": 1}}}],
        "scheduler": {"form": "additive", "rate": 0.3},
    }
    subject = fragility(data)
    # The budget buys all bread, whatever there is of air.
    assert subject.sensitivity == pytest.approx(np.array([[0, 0, 0], [0, -1, 1]]), abs=1e-9)
    moved = subject.resolved(np.array([0.01, 0.02, 0.04]))
    assert moved == pytest.approx(np.array([0, 0.02]), abs=1e-9)


def test_what_cannot_be_told() -> None:
    with pytest.raises(FragilityError, match="linear tastes"):
        fragility("perfect_substitutes")
    with pytest.raises(FragilityError, match="nothing to change"):
        fragility("tupperware", "tastes")
