"""The best bundle `max f(x)`, `p.x = m`, `x >= 0`, of a strictly quasi-concave formula `f`, at going prices.

Conditions `f_i = mu p_i` (or `<= mu p_i` at a corner `x_i = 0`) are solved in the unknowns `ln x_i`, on the budget.
With `b_i = x_i f_i / (mu m)`, what a good is worth of all that is spent, `w_i = p_i x_i / m`, what it costs, and
`M = -X f'' X / (mu m)`, a sweep solves `M d ln x + b s = b ln(b/w)`, `w.d ln x = 0`. A power product arrives at once.

Tastes are ordinal, and so is the search: an increasing transform of `f` adds a multiple of `b b'` to `M`, which changes
`s` and nothing else. `M + k b b'`, with `k` such that it bends along the ray through `x` as a logarithm does, is what
bends down where `f` itself may not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.economics.best_response import CONVERGED_STEP, LEAST_DAMPING, SMALLEST, solved
from simulator.economics.means import Array, dot
from simulator.formulas.formula import Formula

SATED = 1e-290
"""A marginal utility of money no larger than this is none: less is as good, or better."""
FAINT = 1e-13
"""What rounding leaves of a difference."""

FARTHEST = 8.0
"""The longest step in `ln x`."""


def best_bundle(formula: Formula, prices: Array, incomes: Array) -> tuple[Array, Array]:
    """Quantities `(n, k)` and the marginal utility of money `(n,)` at prices `(k,)` and incomes `(n,)`, all above 0.

    Who is sated before all is spent keeps the rest: its marginal utility of money is 0.
    """
    with np.errstate(all="ignore"):
        start = np.broadcast_to(incomes[:, None] / (len(prices) * prices), (len(incomes), len(prices)))
        search = _Search(formula, prices, incomes, start)
        search.run(np.arange(len(incomes)))
        sated = np.flatnonzero(~(search.money > SATED))
        if sated.size:
            _enough(search, sated)
            search.money[sated] = 0.0
    return search.quantities, search.money


def _enough(search: _Search, rows: NDArray[np.intp]) -> None:
    """Lower incomes to where the last unit of money does no good: where more does harm by its marginal utility, which
    is nearly straight about there, else by halves of the logarithm.
    """
    high, harm = search.incomes[rows], search.money[rows]
    low, good, first = np.zeros(len(rows)), np.full(len(rows), np.inf), np.zeros(len(rows))
    wide = np.flatnonzero(~search.at_best(rows))
    for count in range(200):
        if not wide.size:
            break
        far = high > 4.0 * low
        apart = np.where(low > 0, np.sqrt(low * high), high * np.exp(-1.0 - count))
        straight = np.isfinite(good) & (harm < -SATED) & (count % 3 > 0)
        within = low + (high - low) * np.where(straight, good / (good - harm), 0.5)
        income = np.where(far & ~straight, apart, within)[wide]
        search.to(rows[wide], income)
        search.run(rows[wide])
        money = search.money[rows[wide]]
        useful = money > SATED
        low[wide], good[wide] = np.where(useful, [income, money], [low[wide], good[wide]])
        high[wide], harm[wide] = np.where(useful, [high[wide], harm[wide]], [income, money])
        first = np.where((first == 0) & np.isfinite(good), good, first)
        close = (high - low)[wide] <= np.where(harm < -SATED, FAINT, CONVERGED_STEP)[wide] * high[wide]
        near = (harm < -SATED)[wide] & (np.abs(money) <= FAINT * first[wide])
        wide = wide[~(close | near | search.at_best(rows[wide]))]


class _Search:
    """The state of `best_bundle`: `quantities` and the marginal utility of `money` of all rows, those `idle` at 0."""

    def __init__(self, formula: Formula, prices: Array, incomes: Array, start: Array) -> None:
        self.formula, self.prices, self.incomes = formula, prices, incomes.copy()
        self.quantities, self.money = start.copy(), np.zeros(len(incomes))
        self.idle = np.zeros(start.shape, dtype=bool)
        self.damping, self.reach = np.full(len(incomes), LEAST_DAMPING), np.full(len(incomes), FARTHEST)

    def to(self, rows: NDArray[np.intp], incomes: Array) -> None:
        """Go on from the same proportions at other incomes."""
        self.incomes[rows] = incomes
        self.quantities[rows] = self._affordable(rows, self.quantities[rows])

    def at_best(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Where money does no good because nothing can be better, not for want of digits."""
        bent = self.formula.hessian(self.quantities[rows])
        return (self.money[rows] == 0) & np.any(bent != 0, axis=(-2, -1))

    def run(self, rows: NDArray[np.intp]) -> None:
        """Search for some rows until each has arrived or can improve no more."""
        self.damping[rows], self.reach[rows] = LEAST_DAMPING, FARTHEST
        searching = rows
        for _ in range(300):
            if not searching.size:
                break
            searching = searching[~self._sweep(searching)]
        self.money[rows] = dot(self.formula.gradient(self.quantities[rows]), self.quantities[rows]) / self.incomes[rows]

    def _affordable(self, rows: NDArray[np.intp], quantities: Array) -> Array:
        """As much of the same proportions as costs the income."""
        some = np.maximum(quantities, np.where(self.idle[rows], 0.0, SMALLEST))
        return some * (self.incomes[rows] / dot(some, self.prices))[:, None]

    def _along(self, here: Array, there: Array, at: Array, slopes: Array) -> Array:
        """How steeply `f` rises `at` a bundle on the way from one bundle on the budget to another, `(n,)`.

        If it does so at the end, it does so all the way, for it is quasi-concave.
        """
        # On the budget the prices may be taken off the slopes; what is left is small where much would cancel.
        money = dot(slopes, at) / dot(at, self.prices)
        return dot(slopes - money[:, None] * self.prices, there - here)

    def _sweep(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """One step of some rows; says which are done."""
        self._take_back(rows)
        here, idle = self.quantities[rows], self.idle[rows]
        cost = np.where(idle, 0.0, here * self.prices) / self.incomes[rows, None]
        slopes = self.formula.gradient(here)
        step, blur = self._step(rows, here, idle, cost, slopes)
        # What is hardly bought may run far; the others need not wait for it.
        step = np.clip(step, -FARTHEST, FARTHEST)
        longest = np.max(np.abs(step), axis=-1)
        fraction = np.minimum(1.0, self.reach[rows] / longest)
        left_out = self._leave_out(rows, step)
        there = self._affordable(rows, here * np.exp(fraction[:, None] * step))
        beyond = self.formula.gradient(there)
        closer = (fraction == 1.0) & (self._gap(rows, there, beyond) <= 0.5 * self._gap(rows, here, slopes))
        first, last = self._along(here, there, here, slopes), self._along(here, there, there, beyond)
        uphill = first > 0
        accepted = ((uphill & (last >= 0)) | closer) & ~left_out

        damping = self.damping[rows]
        numb = ~np.isfinite(longest)
        arrived = (longest * (1.0 + damping) < np.maximum(CONVERGED_STEP, blur)) & ~left_out
        moved = (accepted | arrived) & ~numb
        self.quantities[rows[moved]] = there[moved]
        eased = np.where(damping > 1e-3, 0.1 * damping, LEAST_DAMPING)
        # Too far in a good direction: not so far; a bad direction: more each its own way.
        stays = left_out | uphill
        self.damping[rows] = np.where(accepted, eased, np.where(stays, damping, np.maximum(10.0 * damping, 1e-2)))
        walked, reach = longest * fraction, self.reach[rows]
        # To where it would rise no more, were it to fall off in a straight line.
        part = np.where(last < 0, np.clip(first / (first - last), 0.01, 0.5), 0.25)
        shorter = np.where(left_out, reach, np.where(stays, part * walked, walked))
        self.reach[rows] = np.where(accepted, np.clip(2.0 * walked, reach, FARTHEST), shorter)
        return arrived | numb | (self.damping[rows] > 1e12) | (self.reach[rows] < 1e-12)

    def _gap(self, rows: NDArray[np.intp], quantities: Array, slopes: Array) -> Array:
        """The largest `|ln(b/w)|` of each row, without end where something does harm."""
        idle = self.idle[rows]
        worth = np.where(idle, 1.0, slopes / self.prices)
        apart = np.log(worth * self.incomes[rows, None] / dot(worth * ~idle, quantities * self.prices)[:, None])
        gap = np.abs(np.where(idle, 0.0, apart)).max(axis=-1)
        return np.where(np.isnan(gap), np.inf, gap)

    def _step(
        self, rows: NDArray[np.intp], here: Array, idle: NDArray[np.bool_], cost: Array, slopes: Array
    ) -> tuple[Array, Array]:
        """The change of `ln x`, and what of that may be rounding."""
        slopes = np.where(idle, 0.0, slopes)
        total = dot(slopes, here)
        # Where the whole bundle does harm there is no `mu` to measure by.
        least = np.max(np.abs(slopes) / self.prices, axis=-1) * self.incomes[rows]
        scale = np.where(total > 0, total, least)
        worth = slopes * here / scale[:, None]
        bent = -self.formula.hessian(here) * here[:, :, None] * here[:, None, :] / scale[:, None, None]
        bent = np.where(idle[:, :, None] | idle[:, None, :] | ~np.isfinite(bent), 0.0, bent)
        ray = np.where(total > 0, np.maximum(1.0 - bent.sum(axis=(-2, -1)), 0.0), 0.0)
        bent += ray[:, None, None] * worth[:, :, None] * worth[:, None, :]
        # A good that does harm has no logarithm: there it is Newton's method in quantities.
        logs = np.all((worth > 0) | idle, axis=-1, keepdims=True)
        urge = np.where(logs, worth * np.log(worth / cost), worth)
        border = np.where(logs, worth, cost)
        unit = np.sqrt(np.where(idle, 1.0, np.maximum(np.where(worth > 0, worth, cost), 1e-300)))
        system = bent / (unit[:, :, None] * unit[:, None, :])
        own = np.abs(np.einsum("aii->ai", system))
        blur = np.clip(1e-15 / np.min(np.where(idle, 1.0, own), axis=-1), 0.0, 1e-3)
        system += (self.damping[rows, None] * (1.0 + own) + idle)[:, :, None] * np.eye(here.shape[1])
        right = np.where(idle[:, :, None], 0.0, np.stack([urge, border], axis=-1) / unit[:, :, None])
        by_urge, by_border = np.moveaxis(solved(system, right) / unit[:, :, None], -1, 0)
        step = by_urge - (dot(cost, by_urge) / dot(cost, by_border))[:, None] * by_border
        return np.where(idle, 0.0, step), blur

    def _take_back(self, rows: NDArray[np.intp]) -> None:
        """Buy a little of what nothing is bought of and whose first unit is worth more than it costs."""
        rows = rows[self.idle[rows].any(axis=-1)]
        if not rows.size:
            return
        here = self.quantities[rows]
        slopes = self.formula.gradient(here)
        money = dot(slopes, here) / self.incomes[rows]
        gain = np.where(self.idle[rows], slopes / self.prices - money[:, None], -np.inf)
        best = np.argmax(gain, axis=-1)
        pays = gain[np.arange(len(rows)), best] > FAINT * np.abs(money)
        rows, here, best = rows[pays], here[pays], best[pays]
        part = 1e-3
        self.idle[rows, best] = False
        while rows.size and part > FAINT:
            there = here * (1.0 - part)
            there[np.arange(len(rows)), best] = part * self.incomes[rows] / self.prices[best]
            fine = self._along(here, there, there, self.formula.gradient(there)) >= 0
            self.quantities[rows[fine]] = there[fine]
            rows, here, best, part = rows[~fine], here[~fine], best[~fine], 0.1 * part
        self.idle[rows, best] = True

    def _leave_out(self, rows: NDArray[np.intp], step: Array) -> NDArray[np.bool_]:
        """Buy nothing of a good that runs towards 0 and whose first unit would not pay; says in which rows."""
        leaves = np.zeros(len(rows), dtype=bool)
        falling = (step <= -1.0) & ~self.idle[rows]
        for good in np.flatnonzero(falling.any(axis=0)):
            some = np.flatnonzero(falling[:, good])
            here = self.quantities[rows[some]]
            there = here.copy()
            there[:, good] = 0.0
            there *= (self.incomes[rows[some]] / dot(there, self.prices))[:, None]
            slopes = self.formula.gradient(there)
            money = dot(slopes, there) / self.incomes[rows[some]]
            gone = (slopes[:, good] <= money * self.prices[good]) & (self._along(here, there, there, slopes) >= 0)
            self.quantities[rows[some[gone]]] = there[gone]
            self.idle[rows[some[gone]], good] = True
            leaves[some[gone]] = True
        return leaves
