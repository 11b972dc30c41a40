"""The vector of an equilibrium's unknowns: its parts, its derivative, its certificate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.economies import BAZAAR_CONSUMERS
from tests.house import Unknowns, find, load
from tests.test_economy import economies, prices_of

BAZAAR: dict[str, Any] = {"goods": ["x", "y", "z"], "consumers": BAZAAR_CONSUMERS}


def unknowns_of(data: dict[str, Any]) -> Unknowns:
    scenario = load(data)
    return Unknowns(scenario.economy, scenario.rule.fixed, scenario.rule.floor)


@given(economies(), st.integers(0, 99))
def test_parts_cover_the_vector_and_slopes_are_those_of_their_slacks(data: dict[str, Any], seed: int) -> None:
    unknowns = unknowns_of(data)
    values = prices_of(unknowns.economy, seed)
    places = [place for part in unknowns.parts for place in range(*part.where.indices(len(values)))]
    assert places == list(range(len(values)))
    assert len(unknowns.names) == len(unknowns.free) == len(unknowns.lower) == len(values)
    plans = unknowns.plans(values)
    slopes = unknowns.slopes(plans)
    for place, unit in enumerate(1e-6 * np.eye(len(values))):
        up, down = (unknowns.slack(unknowns.plans(values + step, plans.inputs), plans) for step in (unit, -unit))
        np.testing.assert_allclose(slopes[:, place], (up - down) / 2e-6, rtol=2e-4, atol=2e-5 * np.abs(slopes).max())


SHOP: dict[str, Any] = {
    "goods": ["labour", "bread", "cake"],
    "numeraire": "labour",
    "firms": [
        {
            "name": "bakery",
            "technology": {
                "ces": {
                    "output": "bread",
                    "returns_to_scale": 1,
                    "elasticity": 0.7,
                    "inputs": {"labour": 1, "cake": 0.1},
                }
            },
            "behaviour": "activity",
        },
        {"name": "oven", "technology": {"activity": {"labour": -2, "cake": 1}}, "behaviour": "activity"},
    ],
    "consumers": [{"name": "all", "utility": {"cobb_douglas": {"bread": 2, "cake": 1}}, "endowment": {"labour": 9}}],
    "trade": "at_equilibrium",
}


def test_levels_lie_behind_prices_and_their_slopes_are_those_of_unit_profits() -> None:
    unknowns = unknowns_of(SHOP)
    assert [part.condition for part in unknowns.parts] == ["market", "activity"]
    assert unknowns.names == ("labour", "bread", "cake", "bakery", "oven")
    values = np.array([1.0, 1.7, 2.2, 3.0, 0.5])
    plans = unknowns.plans(values)
    np.testing.assert_array_equal(unknowns.values(plans), values)
    slopes = unknowns.slopes(plans)
    for place, unit in enumerate(1e-6 * np.eye(5)):
        up, down = (unknowns.slack(unknowns.plans(values + step, plans.inputs), plans) for step in (unit, -unit))
        np.testing.assert_allclose(slopes[:, place], (up - down) / 2e-6, rtol=1e-6, atol=1e-8)
    # A loaf costs more than it brings: the certificate says whose activity is farthest off, and no market's.
    dear = unknowns.certificate(unknowns.plans(np.array([1.0, 9.0, 2.0, 1.0, 1.0])), 1e-9)
    assert dear.worst["activity"] == "bakery"


def test_levels_and_prices_of_an_equilibrium_are_found_together() -> None:
    unknowns, scenario = unknowns_of(SHOP), load(SHOP)
    (found,) = find(scenario.economy, scenario.rule, [scenario.initial_prices])
    # Labour alone: what is made costs what it takes.
    assert found.prices[2] == pytest.approx(2.0, rel=1e-12)
    np.testing.assert_allclose(found.balance.unit_profits, 0.0, atol=1e-12)
    np.testing.assert_allclose(found.balance.demand, found.balance.supply, rtol=1e-9)
    certificate = unknowns.certificate(found.balance, 1e-9)
    assert certificate.holds(1e-9)
    assert set(certificate.residuals) == {"market", "activity"}
    assert found.index == 1


def test_a_certificate_names_the_worst_market() -> None:
    unknowns = unknowns_of(BAZAAR)
    certificate = unknowns.certificate(unknowns.plans(np.array([1.0, 2.0, 30.0])), 1e-9)
    excess = unknowns.plans(np.array([1.0, 2.0, 30.0]))
    shortage = excess.excess_demand / excess.scale
    assert certificate.worst == {"market": "xyz"[int(np.argmax(shortage))]}
    assert certificate.residual == certificate.residuals["market"] == pytest.approx(shortage.max(), rel=1e-12)


def test_a_certificate_holds_at_an_equilibrium_and_at_no_price_beside_it() -> None:
    scenario, unknowns = load(BAZAAR), unknowns_of(BAZAAR)
    (found,) = find(scenario.economy, scenario.rule, [scenario.initial_prices])
    plans = unknowns.plans(found.prices)
    assert unknowns.certificate(plans, 1e-9).holds(1e-9)
    beside = unknowns.plans(found.prices * np.array([1.0 + 1e-6, 1.0, 1.0]))
    certificate = unknowns.certificate(beside, 1e-9)
    assert not certificate.holds(1e-9)
    # Only relative prices matter: the price of x must fall by as much against the others.
    assert np.ptp(certificate.displacement) == pytest.approx(1e-6, rel=1e-4)
    assert unknowns.index(plans, unknowns.jacobian(plans)) == 1


def test_only_the_level_tells_no_two_equilibria_apart() -> None:
    unknowns = unknowns_of(BAZAAR)
    one = unknowns.plans(np.array([1.0, 2.0, 3.0]))
    assert unknowns.same(one, unknowns.plans(5.0 * one.prices))
    assert not unknowns.same(one, unknowns.plans(one.prices * np.array([1.001, 1.0, 1.0])))
    held = unknowns_of({**BAZAAR, "numeraire": "z"})
    assert not held.same(one, held.plans(5.0 * one.prices))
