"""Published economies of constant returns: at the published prices and levels nobody gains and every market clears."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.house import load
from tests.published import CASES, CONSTANT_RETURNS, UTILITIES


def at_published(case: str) -> tuple[Any, Any, list[float]]:
    economy = load(CASES / f"{case.partition('-')[0]}.yaml").economy
    prices, levels = CONSTANT_RETURNS[case]
    level = [float(levels[firm.name]) for firm in economy.firms]
    return (
        economy,
        economy.balance(np.array([prices[g] for g in economy.goods], dtype=float), levels=np.array(level)),
        level,
    )


@pytest.mark.parametrize("case", CONSTANT_RETURNS)
def test_the_published_equilibrium_is_one(case: str) -> None:
    economy, balance, level = at_published(case)
    turnover = np.maximum(balance.demand, balance.supply)
    excess = np.where(economy.is_outside, 0.0, (balance.demand - balance.supply) / turnover)
    np.testing.assert_allclose(excess[balance.prices > 0], 0.0, atol=1e-9)
    assert (excess <= 1e-9).all()
    profits = np.asarray(balance.unit_profits)
    assert (profits <= 1e-9).all()
    np.testing.assert_allclose(profits[np.array(level) > 0], 0.0, atol=1e-9)


@pytest.mark.parametrize("case", UTILITIES)
def test_and_utility_is_the_published_one(case: str) -> None:
    economy, balance, _ = at_published(case)
    (cohort,) = economy.consumers
    utility = cohort.utility.utility(balance.consumption, balance.incomes[0])
    assert utility.item() == pytest.approx(UTILITIES[case], rel=1e-9)
