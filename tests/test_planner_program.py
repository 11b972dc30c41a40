"""The planner's linear programme: where it is one, its multipliers, and why it is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from tests.house import NoProgramError, load, planner_optimum
from tests.published import CASES, activity, consumer

MILL = activity("mill", flour=1, grain=-2)


def optimum(**scenario: Any) -> Any:
    # A linear taste makes demand jump: other forms are refused.
    loaded = load({"scheduler": {"form": "additive", "rate": 0.1}, **scenario})
    return planner_optimum(loaded.economy)


HALVES = {"grain": 0.5, "rye": 0.5}


def bakery(*consumers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"goods": ["flour", "grain"], "firms": [MILL], "consumers": list(consumers), **more}


def test_a_multiplier_is_the_gain_from_one_more_unit() -> None:
    """By differences of the value, each resource a little more and a little less."""

    def plan(**more: float) -> Any:
        owned = {f"consumers.planner.endowment.{name}": amount for name, amount in more.items()}
        scenario = load(CASES / "kantorovich_1939.yaml", settings=owned)
        return planner_optimum(scenario.economy)

    for place, (machine, many) in enumerate({"milling": 3, "turret_lathe": 3, "automatic": 1}.items(), 2):
        more, less = (plan(**{machine: many + nudge}).value for nudge in (1e-4, -1e-4))
        assert (more - less) / 2e-4 == pytest.approx(plan().prices[place], rel=1e-8)


def test_a_degenerate_optimum_has_a_range_of_multipliers() -> None:
    """Just as many left shoes as right ones: only what a pair costs is determined."""
    wants = consumer("ann", {"leontief": {"left": 1, "right": 1}}, endowment={"left": 10, "right": 10})
    found = optimum(goods=["left", "right"], consumers=[wants])
    assert found.value == pytest.approx(10)
    np.testing.assert_allclose(found.price_ranges, [[0, 1], [0, 1]], atol=1e-9)
    more = consumer("ann", {"leontief": {"left": 1, "right": 1}}, endowment={"left": 10, "right": 11})
    found = optimum(goods=["left", "right"], consumers=[more])
    np.testing.assert_allclose(found.price_ranges, [[1, 1], [0, 0]], atol=1e-9)


def test_two_ways_to_do_the_same_share_it_as_they_like() -> None:
    found = optimum(
        **bakery(
            consumer("ann", {"linear": {"flour": 1}}, endowment={"grain": 10}), firms=[MILL, {**MILL, "name": "other"}]
        )
    )
    assert found.value == pytest.approx(5)
    np.testing.assert_allclose(found.level_ranges, [[0, 5], [0, 5]], atol=1e-9)
    np.testing.assert_allclose(found.price_ranges, [[1, 1], [0.5, 0.5]], atol=1e-9)


def test_goods_of_linear_value_cost_what_they_are_worth() -> None:
    ann = consumer("ann", {"linear": {"flour": 3, "grain": 1}}, endowment={"grain": 10})
    found = optimum(**bakery(ann))
    assert found.value == pytest.approx(15)
    np.testing.assert_allclose(found.prices, [3, 1.5], rtol=1e-9)
    assert found.objective.cost(np.array([6.0, 3.0])) == pytest.approx(2.0)


def test_who_is_alike_is_planned_for_together_whatever_utility_is_counted_in() -> None:
    pair = consumer("ann", {"leontief": {"flour": 1, "grain": 1}}, endowment={"grain": 6})
    dozen = consumer("ben", {"leontief": {"flour": 12, "grain": 12}}, endowment={"grain": 3})
    found = optimum(**bakery(pair, dozen))
    assert found.value == pytest.approx(3)
    np.testing.assert_allclose(found.prices, [2 / 3, 1 / 3], rtol=1e-9)


def test_what_is_bought_abroad_is_paid_for_with_what_is_sold() -> None:
    """The objective is utility, money no more than a means: one more unit of each is worth what it buys."""
    ann = consumer("ann", {"linear": {"flour": 1}}, endowment={"grain": 10, "silk": 1})
    found = optimum(goods=["flour", "grain", "silk"], firms=[MILL], consumers=[ann], outside={"silk": 6, "grain": 2})
    # Silk for 6 buys 3 of grain; 13 of grain make 6.5 of flour.
    assert found.value == pytest.approx(6.5)
    np.testing.assert_allclose(found.prices, [1, 0.5, 1.5], rtol=1e-9)


@pytest.mark.parametrize("seed", range(40))
def test_ranges_are_those_of_all_optima(seed: int) -> None:
    """Random programmes in small whole numbers, most of them degenerate, by their optimal faces."""
    stream = np.random.default_rng(seed)
    resources, makers = stream.integers(2, 5), stream.integers(2, 5)
    used = stream.integers(0, 3, (resources, makers))
    used[0] = np.maximum(used[0], 1)
    owned, worth = stream.integers(0, 4, resources), stream.integers(1, 4, makers)
    found = optimum(
        goods=[*(f"r{i}" for i in range(resources)), *(f"g{j}" for j in range(makers))],
        supply={f"r{i}": int(amount) for i, amount in enumerate(owned)},
        outside={f"g{j}": int(price) for j, price in enumerate(worth)},
        firms=[
            activity(f"f{j}", **{f"g{j}": 1}, **{f"r{i}": -int(u) for i, u in enumerate(used[:, j]) if u})
            for j in range(makers)
        ],
    )
    plans = linprog(-worth, used, owned)
    assert found.value == pytest.approx(-plans.fun, abs=1e-9)
    for count, extent, rows, right in (
        (makers, found.level_ranges, [*used, -worth], [*owned, plans.fun]),
        (resources, found.price_ranges[:resources], [*-used.T, owned], [*-worth, -plans.fun]),
    ):
        for place, sign, side in ((at, sign, side) for at in range(count) for side, sign in enumerate((1, -1))):
            best = linprog(sign * np.eye(count)[place], rows, right)
            expected = best.x[place] if best.status == 0 else np.inf
            assert extent[place, side] == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        (bakery(consumer("ann", {"cobb_douglas": {"flour": 1, "grain": 1}}, endowment={"grain": 1})), "ann gains less"),
        (
            bakery(
                consumer("ann", {"linear": {"flour": 1}}, endowment={"grain": 1}),
                firms=[{"name": "mill", "makes": "flour = sqrt(grain)"}],
            ),
            "mill has decreasing returns",
        ),
        (
            {
                "goods": ["flour", "grain", "rye"],
                "firms": [{"name": "mill", "technology": {"cobb_douglas": {"output": "flour", "inputs": HALVES}}}],
                "consumers": [consumer("ann", {"linear": {"flour": 1}}, endowment={"grain": 1, "rye": 1})],
            },
            "inputs of mill replace each other",
        ),
        (
            bakery(
                consumer("ann", {"linear": {"flour": 1}}, endowment={"grain": 1}),
                consumer("ben", {"linear": {"grain": 1}}, endowment={"grain": 1}),
            ),
            "ann and ben want different things",
        ),
        (
            bakery(
                consumer("ann", {"linear": {"flour": 1}}, endowment={"grain": 1}),
                outside={"grain": 1},
                supply={"grain": 1},
            ),
            "nobody owns the supply of grain",
        ),
        (
            {"goods": ["flour", "grain"], "outside": {"flour": 3, "grain": 1}, "firms": [MILL]},
            "its value has no bound",
        ),
    ],
    ids=["bends", "decreasing", "substitutes", "quarrel", "unowned", "unbounded"],
)
def test_what_is_no_linear_programme_is_refused_with_the_reason(scenario: dict[str, Any], reason: str) -> None:
    with pytest.raises(NoProgramError, match=reason):
        optimum(**scenario)
