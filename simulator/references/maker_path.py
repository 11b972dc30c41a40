"""The gradient path of prices at a market maker: each visit a step on the gradient of the visitor's own objective.

| trader | objective in prices `p` | step |
|---|---|---|
| `kelly` | `m KL(beta, p) + held.p` | exponentiated gradient, `1/b` |
| `cara` | `KL(p, beta)/a + held.p` | exponentiated gradient, `1/b`; who sees its impact `1/(b + 1/a)` |
| `linear_pool` | `|p - beta|^2/2`, from where its money is lost | gradient, the part of money that is not |
| `neutral` | `KL(beta, p)`, where no outcome ruins it | to the minimum |

`m` is the trader's wealth at going prices. The path has accounts of its own, and knows the market by who came alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from simulator.economics.forms import Array
from simulator.economics.traders import Trader


class MakerPath:
    """The path that begins at `prices` `(outcomes,)`; `money` `(traders,)` and contracts `held` `(traders, outcomes)`
    are what its traders have.
    """

    def __init__(self, prices: Array, money: Array, liquidity: float) -> None:
        self.prices, self.money, self.liquidity = prices.copy(), money.copy(), liquidity
        self.held = np.zeros((len(money), len(prices)))

    @staticmethod
    def serves(traders: Iterable[Trader]) -> bool:
        """Whether each of them takes steps on a gradient: Kelly traders who see their impact do to first order only."""
        return not any(trader.kind == "kelly" and trader.sees for trader in traders)

    def visit(self, number: int, trader: Trader, row: int) -> None:
        """One visit by a trader, the `row` of an entry of many."""
        prices, held, b = self.prices, self.held[number], self.liquidity
        belief, measure = trader.belief[row % len(trader.belief)], trader.measure[row % len(trader.measure)].item()
        ruin = prices * np.exp(-(self.money[number] + held) / b)
        if trader.kind == "kelly":
            worth = max(float(self.money[number] + prices @ held), 0.0)
            bought = worth * belief / prices - held
        elif trader.kind == "cara":
            gradient = (np.log(prices) - np.log(belief)) / measure + held
            bought = -gradient / (1.0 + 1.0 / (measure * b)) if trader.sees else -gradient
        elif trader.kind == "linear_pool":
            begun, step = ruin / ruin.sum(), 1.0 - ruin.sum()
            bought = b * np.log((begun - step * (begun - belief)) / prices)
        else:
            bought = b * np.log(_nearest(belief, ruin) / prices)
        self._trade(number, bought, costless=trader.sees)

    def _trade(self, number: int, bought: Array, *, costless: bool) -> None:
        """The mirror step in logarithms, and what it costs."""
        moved = np.log(self.prices) + bought / self.liquidity
        cost = self.liquidity * np.logaddexp.reduce(moved)
        self.prices = np.exp(moved - cost / self.liquidity)
        self.held[number] += bought - cost if costless else bought
        self.money[number] -= 0.0 if costless else cost


def _nearest(belief: Array, least: Array) -> Array:
    """The prices of least `KL(belief, p)` among those no lower than `least`, `(outcomes,)` each: `max(s belief, least)`
    at the one `s` at which they sum to 1. Outcomes are bounded in the order of `least/belief`.
    """
    with np.errstate(divide="ignore"):
        order = np.argsort(-least / belief, kind="stable")
    for bounded in range(len(order)):
        free = order[bounded:]
        scale = (1.0 - least[order[:bounded]].sum()) / (belief[free].sum() or 1.0)
        if (scale * belief[free] >= least[free]).all():
            return np.maximum(scale * belief, least)
    return least
