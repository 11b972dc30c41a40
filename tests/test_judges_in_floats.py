"""What the judges work out in floats, or for many ticks at once, is what they work out in arrays, traced."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.house import PATHS, Array, Descent, Economy, InFloats, InRuns, Reference, emitted, load, plain, reference
from tests.test_economy import economies, prices_of

SCENARIOS = Path(__file__).parents[1] / "scenarios"
SMALL = [path.stem for path in SCENARIOS.glob("*.yaml") if load(path).economy.small(slopes=True)]


def at(function: Reference) -> Any:
    """All that there is to know of a function at prices, for a guess at inputs."""
    return lambda given: function.descent(*given, True, slopes=True)


def assert_alike(function: Reference, prices: Array) -> None:
    """At each row of prices, in floats, for all rows at once, and in arrays."""
    look, guess = at(function), np.full((len(prices), len(function.economy.edge_good)), 0.7)
    together, in_floats = InRuns(look)((prices, guess)), InFloats(look)
    for row in range(len(prices)):
        given = (prices[row], guess[row])
        with np.errstate(all="ignore"):
            arrays, floats = look(given), in_floats(plain(given))
        assert isinstance(arrays, Descent)
        assert floats is not None
        for name in ("value", "signal", "unit", "slopes", "jacobian"):
            expected, one, other = (np.asarray(getattr(x, name)) for x in (arrays, floats, together))
            size = np.abs(np.nan_to_num(expected)).max(initial=1e-300)
            np.testing.assert_allclose(one, expected, rtol=1e-10, atol=1e-12 * size, err_msg=name)
            np.testing.assert_allclose(other[row], expected, rtol=1e-10, atol=1e-12 * size, err_msg=name)


def around(prices: Array, seed: int = 1) -> Array:
    """Prices on both sides of some, and these."""
    return prices * np.exp(np.random.default_rng(seed).uniform(-0.5, 0.5, (4, 1)) * np.array([[0.0], [1], [1], [1]]))


@pytest.mark.parametrize("name", sorted(SMALL))
def test_shipped_scenarios_are_judged_alike_in_floats_and_in_arrays(name: str) -> None:
    scenario = load(SCENARIOS / f"{name}.yaml")
    assert_alike(reference(scenario.economy), around(scenario.initial_prices))


@given(economies(), st.integers(0, 99))
def test_economies_are_judged_alike_in_floats_and_in_arrays(data: dict[str, Any], seed: int) -> None:
    economy = load(data).economy
    assert_alike(reference(economy), around(prices_of(economy, seed)))


@pytest.mark.parametrize("name", sorted(SMALL))
def test_who_searches_is_answered_alike_in_floats_and_in_arrays(name: str) -> None:
    scenario = load(SCENARIOS / f"{name}.yaml")
    arrays = scenario.rule.unknowns(scenario.economy)
    floats = replace(arrays, often=True)
    for prices in around(scenario.initial_prices):
        with np.errstate(all="ignore"):
            values = arrays.beginning(prices)
            expected, found = arrays.plans(values), floats.plans(values)
            jacobians = arrays.jacobian(expected), floats.jacobian(expected)
        for one, other in (*zip(expected, found, strict=True), jacobians):
            assert np.shape(one) == np.shape(other)
            np.testing.assert_allclose(np.ravel(one), np.ravel(other), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", ["dual", "primal"])
@pytest.mark.parametrize("name", sorted(SMALL))
def test_paths_go_alike_in_floats_and_in_arrays(monkeypatch: pytest.MonkeyPatch, name: str, kind: str) -> None:
    scenario = load(SCENARIOS / f"{name}.yaml")
    economy, rule, prices = scenario.economy, scenario.rule, scenario.initial_prices
    if kind == "primal" and scenario.gradient_path != kind:
        return
    floats = PATHS[kind](economy, reference(economy), rule, prices)
    monkeypatch.setattr(Economy, "small", lambda *_, **__: False)
    arrays = PATHS[kind](economy, reference(economy), rule, prices)
    for tick in range(1, 60, 7):
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(floats.advance(tick), arrays.advance(tick), rtol=1e-9)
        # Each stretch alone: where a path amplifies rounding, two of them part.
        arrays.restore(floats.state())


def swept_back(economy: Economy, prices: Array) -> Array:
    """`dz/dp` by a reverse sweep of traced excess demand for each good, in an economy in which nothing is searched."""
    traced = emitted(lambda p: economy.balance(p).excess_demand, plain(prices))
    graph, numbers = traced.trace.graph, dict[int, Any]()
    assert not any(operation.startswith("call") for operation in graph.operations)
    names = [f"x{place}" for place in range(len(prices))]
    terms = [term if hasattr(term, "node") else graph.constant(float(term)) for term in traced.result.terms.flat]
    rows = [graph.gradient(term, names) for term in terms]
    given = {graph.variable(name).node: price for name, price in zip(names, prices.tolist(), strict=True)}
    for node in graph.reachable([term for row in rows for term in row]):
        numbers[node] = graph.number(node, numbers, given)
    return np.array([[numbers[term.node] for term in row] for row in rows])


def assert_swept_back(economy: Economy, prices: Array) -> None:
    swept, jacobian = swept_back(economy, prices), economy.jacobian(economy.balance(prices))
    size, moving = np.abs(jacobian).max(), ~economy.is_outside
    np.testing.assert_allclose(swept[moving], jacobian[moving], rtol=1e-9, atol=1e-10 * size)


@given(economies(), st.integers(0, 99))
def test_the_jacobian_is_the_reverse_sweep_of_excess_demand(data: dict[str, Any], seed: int) -> None:
    consumers = [{key: each[key] for key in each if key != "owns"} for each in data["consumers"]]
    economy = load({**data, "supply": dict.fromkeys(data["goods"], 1), "firms": [], "consumers": consumers}).economy
    assert_swept_back(economy, prices_of(economy, seed))


@pytest.mark.parametrize("name", ["bazaar", "scarf", "village", "near_substitutes", "fold"])
def test_in_shipped_scenarios_too(name: str) -> None:
    economy = load(SCENARIOS / f"{name}.yaml").economy
    assert_swept_back(economy, np.linspace(0.7, 1.2, len(economy.goods)))
