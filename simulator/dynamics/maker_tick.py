"""A market maker and its traders, tick by tick: what each buys, what it pays, and where that leaves the prices.

The maker sells any bundle `x` of contracts for `C(q + x) - C(q)`, with `C(q) = b ln sum exp(q_k/b)` of all it has sold,
`q`, and its liquidity `b`; prices are `dC/dq`, which sum to 1 (the logarithmic market scoring rule). A trade moves them

    p <- p exp(x/b) / sum p exp(x/b),

one step of exponentiated gradient. Traders come one after another, so that all of this is in plain floats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import exp, log
from operator import mul
from typing import NamedTuple

import numpy as np

from simulator.economics.economy import Indices
from simulator.economics.forms import Array

Floats = list[float]
Plan = Callable[[Floats, Floats, Floats, float, float, float], Floats]
"""What a trader buys of each outcome, by prices, belief, contracts held, money, the trader's measure, and liquidity."""

CLOSE, MOST_STEPS = 1e-15, 100
"""Newton's method has arrived where a step is no larger; it never takes so many."""


class MakerState(NamedTuple):
    """What the coming tick, the number `tick`, begins with: `prices` `(outcomes,)`, what the maker has `sold`
    `(outcomes,)` and received for it, `cash`; the traders' contracts `held` `(traders, outcomes)` and `money`
    `(traders,)`; and the size of each one's last trade, the largest `|x|/b` `(traders,)`, infinite before the first.
    """

    tick: int
    prices: Array
    sold: Array
    cash: Array
    held: Array
    money: Array
    size: Array


class MakerTick(NamedTuple):
    """A tick: `prices` after its trades `(outcomes,)`; the `visitors` `(visits,)`, by number, and what each `bought`
    `(visits, outcomes)`; what is `held` `(traders, outcomes)` after that, `money` `(traders,)` after settlement, too;
    what the maker has `sold` `(outcomes,)` and received, `cash`; the last visitor's marginal values, of sum 1, its
    `bid` `(outcomes,)`; and the largest trade of the last round of all traders, in units of liquidity, the `residual`.
    """

    tick: int
    prices: Array
    visitors: Indices
    bought: Array
    held: Array
    money: Array
    sold: Array
    cash: Array
    bid: Array
    residual: float

    @property
    def finite(self) -> bool:
        """Whether the market can go on: a price of 0 never moves again."""
        return bool((self.prices > 0).all())


class Visitor(NamedTuple):
    """A trader in floats: its `plan`, its belief and its measure."""

    plan: Plan
    belief: Floats
    measure: float


def sale(prices: Floats, bought: Floats, liquidity: float) -> tuple[float, Floats]:
    """What a trade costs, `b ln sum p exp(x/b)`, and the prices after it."""
    top = max(bought) / liquidity
    weights = [price * exp(x / liquidity - top) for price, x in zip(prices, bought, strict=True)]
    total = sum(weights)
    return liquidity * (top + log(total)), [weight / total for weight in weights]


def visits(
    prices: Floats, traders: Iterable[Visitor], held: Iterable[Floats], money: Iterable[float], liquidity: float
) -> tuple[Floats, Floats, list[Floats]]:
    """Trades of `traders` who come one after another, by what each has: the prices after them, what each has paid, and
    what it bought. A price that has come to 0 ends them.
    """
    paid, bought = list[float](), list[Floats]()
    for (plan, belief, measure), own, purse in zip(traders, held, money, strict=True):
        trade = plan(prices, belief, own, purse, measure, liquidity)
        cost, prices = sale(prices, trade, liquidity)
        paid.append(cost)
        bought.append(trade)
        # If one of them is no number, then none is.
        if not min(prices) > 0.0:
            break
    return prices, paid, bought


def costless(prices: Floats, bought: Floats, liquidity: float) -> Floats:
    """The trade that moves prices to the same place and costs nothing: complete sets are sold at 1 each."""
    cost, _ = sale(prices, bought, liquidity)
    return [x - cost for x in bought]


def kelly(prices: Floats, belief: Floats, held: Floats, money: float, wealth: float, liquidity: float) -> Floats:
    """`x_k = m beta_k/p_k - held_k`, `m` all that it owns at going prices: nothing is bought of nothing."""
    worth = max(money + sum(map(mul, prices, held)), 0.0)
    return [worth * beta / price - own for beta, price, own in zip(belief, prices, held, strict=True)]


def kelly_seeing(prices: Floats, belief: Floats, held: Floats, money: float, wealth: float, liquidity: float) -> Floats:
    """`p'_k = c beta_k/W'_k`, with wealth `W' = W + b ln(p'/p)` in each outcome, and `c` so that prices sum to 1.

    With `v = W'/b` that is `v + ln v = ln(c beta/(b p)) + W/b`. Both equations are increasing and convex (the first in
    `ln v`, the second in `ln c`): Newton's method comes down to them from above.
    """
    owned = [(money + own) / liquidity for own in held]
    believed = [k for k, beta in enumerate(belief) if beta > 0.0 and owned[k] > 0.0]
    if not believed:
        return [0.0] * len(prices)
    level = log(max(prices[k] * owned[k] / belief[k] for k in believed))
    rooms = [log(belief[k] / prices[k]) + owned[k] for k in believed]
    moved = list(prices)
    for _ in range(MOST_STEPS):
        moved = [price * exp(-own) for price, own in zip(prices, owned, strict=True)]
        rise = 0.0
        for k, room in zip(believed, rooms, strict=True):
            v = _plus_log(level + room)
            moved[k] = prices[k] * exp(v - owned[k])
            rise += moved[k] * v / (1.0 + v)
        total = sum(moved)
        step = log(total) * total / rise
        level -= step
        if abs(step) <= CLOSE:
            break
    return _to(prices, moved, liquidity)


def _plus_log(total: float) -> float:
    """The `v` above 0 with `v + ln v = total`."""
    u = log(total) if total > 1.0 else total
    for _ in range(MOST_STEPS):
        v = exp(u)
        step = (v + u - total) / (1.0 + v)
        u -= step
        if abs(step) <= CLOSE * max(1.0, abs(u)):
            break
    return exp(u)


def cara(prices: Floats, belief: Floats, held: Floats, money: float, aversion: float, liquidity: float) -> Floats:
    """`x = ln(beta/p)/a - held`."""
    return [log(beta / price) / aversion - own for beta, price, own in zip(belief, prices, held, strict=True)]


def cara_seeing(
    prices: Floats, belief: Floats, held: Floats, money: float, aversion: float, liquidity: float
) -> Floats:
    """`p' ~ p^(ab/(1+ab)) (beta e^(-a held))^(1/(1+ab))`."""
    step = liquidity / (1.0 + aversion * liquidity)
    wanted = [
        step * (log(beta / price) - aversion * own) for beta, price, own in zip(belief, prices, held, strict=True)
    ]
    return costless(prices, wanted, liquidity)


def linear_pool(prices: Floats, belief: Floats, held: Floats, money: float, budget: float, liquidity: float) -> Floats:
    """`p'_k = p_k e^(-W_k/b) + c beta_k`, `W` its wealth in each outcome and `c` so that prices sum to 1."""
    kept = [price * exp(-(money + own) / liquidity) for price, own in zip(prices, held, strict=True)]
    c = 1.0 - sum(kept)
    return _to(prices, [least + c * beta for least, beta in zip(kept, belief, strict=True)], liquidity)


def neutral(prices: Floats, belief: Floats, held: Floats, money: float, budget: float, liquidity: float) -> Floats:
    """`p' = max(beta/lambda, p e^(-W/b))`, which sums to 1: prices as near its belief as its wealth `W` in each outcome
    lets it bring them.

    The outcomes that are bounded by its wealth are found one after another: each makes the rest lower.
    """
    least = [price * exp(-(money + own) / liquidity) for price, own in zip(prices, held, strict=True)]
    free = list(range(len(prices)))
    while True:
        left = 1.0 - sum(least[k] for k in range(len(prices)) if k not in free)
        scale = left / (sum(belief[k] for k in free) or 1.0)
        rest = [k for k in free if least[k] <= scale * belief[k]]
        if len(rest) == len(free) or not rest:
            break
        free = rest
    moved = [max(scale * beta, bound) for beta, bound in zip(belief, least, strict=True)]
    return _to(prices, moved, liquidity)


def _to(prices: Floats, moved: Floats, liquidity: float) -> Floats:
    """The trade that moves prices there and costs nothing."""
    wanted = [liquidity * log(after / before) for after, before in zip(moved, prices, strict=True)]
    return costless(prices, wanted, liquidity)


PLANS: dict[tuple[str, bool], Plan] = {
    ("kelly", False): kelly,
    ("kelly", True): kelly_seeing,
    ("cara", False): cara,
    ("cara", True): cara_seeing,
    ("neutral", True): neutral,
    ("linear_pool", True): linear_pool,
}
"""By the kind of trader, and whether it sees its impact."""


def no_bid(outcomes: int) -> Array:
    """The bid where nobody has come."""
    return np.full(outcomes, np.nan)
