"""Economies of tastes as people write them: prices known in closed form, by every engine, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.house import ScenarioError, load, simulate, solve

SQUARE = {"cobb_douglas": {"x": 1, "y": 1}}


def pair(ann: Any, ben: Any, *endowments: dict[str, float]) -> dict[str, Any]:
    """Two who exchange x and y, the latter of which is the numeraire."""
    each = zip(("ann", "ben"), (ann, ben), endowments, strict=True)
    consumers = [{"name": name, "utility": utility, "endowment": owned} for name, utility, owned in each]
    return {"goods": ["x", "y"], "numeraire": "y", "consumers": consumers}


ENOUGH = "10*x - x^2 + 10*y - y^2"
ECONOMIES: dict[str, tuple[dict[str, Any], list[float]]] = {
    "product and root": (
        pair({"formula": "x*y"}, {"formula": "sqrt(x*y)"}, {"x": 2, "y": 1}, {"x": 1, "y": 3}), [4 / 3, 1]
    ),
    # ann buys 1/p^2 of x, ben (p + 2)/(2 p): together 3.
    "money among the goods": (
        pair({"formula": "2*sqrt(x) + y"}, SQUARE, {"x": 2, "y": 1}, {"x": 1, "y": 2}), [0.863325, 1]
    ),
    # ann is too poor for y: she has (p + 0.5)/p of x, ben (2 p + 1)/(2 p).
    "no money left": (pair({"formula": "8*sqrt(x) + y"}, SQUARE, {"x": 1, "y": 0.5}, {"x": 2, "y": 1}), [1, 1]),
    "not enough yet": (
        {
            "goods": ["x", "y"], "supply": {"x": 4, "y": 3},
            "consumers": [{"name": "a", "budget": 20, "utility": {"formula": ENOUGH}}],
        },
        # Slopes 2 and 4 at what there is, and 20 is spent.
        [2, 4],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ECONOMIES)
@pytest.mark.parametrize("engine", ["arrays", "floats"])
def test_prices_are_those_of_the_textbook(name: str, engine: str) -> None:
    data, prices = ECONOMIES[name]
    run = simulate(load({**data, "trade": "at_equilibrium", "run": {"ticks": 2000, "engine": engine}}))
    assert run.summary["outcome"] == "cleared"
    np.testing.assert_allclose(run.prices.iloc[-1], prices, rtol=2e-6)
    assert run.summary["price_gap"] < 2e-6
    assert run.summary["plan_residual"] < 1e-9


def test_a_luxury_is_bought_from_some_income_on() -> None:
    """`ln(x + 3) + ln(y)`: with `m` below `3 p_x` all goes to y."""
    utility = {"stone_geary": {"shares": {"x": 1, "y": 1}, "subsistence": {"x": -3}}}
    consumers = [{"name": f"m{m}", "budget": m, "utility": utility} for m in (2, 3, 5)]
    run = simulate(load({"goods": ["x", "y"], "outside": {"x": 1, "y": 1}, "consumers": consumers}))
    last = run.agents.query("good == 'x'").set_index("agent")["quantity"]
    np.testing.assert_allclose(last[["m2", "m3", "m5"]], [0, 0, 1], atol=1e-12)


def test_who_has_enough_leaves_the_rest_of_a_budget() -> None:
    """5 of each are enough, for 15 of 20, at prices that others make."""
    consumers = [{"name": "a", "budget": 20, "utility": {"formula": ENOUGH}}]
    run = simulate(load({"goods": ["x", "y"], "outside": {"x": 1, "y": 2}, "consumers": consumers}))
    np.testing.assert_allclose(run.agents.set_index("good")["quantity"][["x", "y"]], 5.0, rtol=1e-9)
    assert run.summary["plan_residual"] < 1e-9


@pytest.mark.parametrize("text", ["x^2 + y^2", "max(x, y)", "x + y", "min(x, y)", "sqrt(x) - y", "ln(x - 1) + y"])
def test_a_refusal_tells_the_economics(text: str) -> None:
    with pytest.raises(ScenarioError, match=r"demand|stone_geary|nobody buys"):
        load(pair({"formula": text}, SQUARE, {"x": 1}, {"y": 1}))


def test_an_income_of_nothing_buys_nothing() -> None:
    names = {
        "formula": "x*y",
        "ces": {"elasticity": 2, "shares": {"x": 1, "y": 0}},
        "linear": {"x": 1, "y": 2},
        "quasilinear": {"log": {"x": 1}},
        "stone_geary": {"shares": {"x": 1, "y": 1}, "subsistence": {"x": 1}},
    }
    poor = [{"name": kind, "budget": 0, "utility": {kind: given}} for kind, given in names.items()]
    rich = {"name": "rich", "budget": 3, "utility": SQUARE}
    run = simulate(load({"goods": ["x", "y"], "supply": {"x": 1, "y": 2}, "consumers": [rich, *poor]}))
    assert run.summary["outcome"] == "cleared"
    np.testing.assert_allclose(run.prices.iloc[-1], [1.5, 0.75], rtol=1e-5)


def test_there_may_be_no_equilibrium_where_the_rich_have_enough() -> None:
    """ann can always pay for 5 of each, and leaves the rest of what her 9 are worth unspent: supply has no buyer."""
    rich, poor = ({"x": 9, "y": 9}, {"x": 9, "y": 1})
    assert not solve(pair({"formula": ENOUGH}, {"formula": "x*y"}, rich, {"x": 1, "y": 3}), starts=2).summary["found"]
    prices = solve(pair({"formula": ENOUGH}, {"formula": "x*y"}, poor, {"x": 1, "y": 3}), starts=2).prices
    assert prices.shape == (2, 1)
    np.testing.assert_allclose(prices[1], [0.285473352, 1], rtol=1e-8)
