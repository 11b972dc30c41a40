"""The gradient-descent path: the same price rule from the same start, fed with minus the gradient of the potential
(and with its second derivatives, where the rule goes by slopes).

Where firms carry levels it is the saddle path: in each tick levels climb by their own rule, fed with the derivative of
the saddle (unit profit, by the dual unit cost), then prices descend. Source: Arrow, Hurwicz (1958).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

import numpy as np

from simulator.dynamics.levels import behaviour_of, first_levels
from simulator.dynamics.price_rules import PriceRule
from simulator.economics.economy import Economy
from simulator.economics.forms import Array
from simulator.economics.potential import Reference
from simulator.formulas.in_floats import InFloats, in_arrays, plain
from simulator.formulas.searches import asked


class _State(NamedTuple):
    """What the coming step depends on: `prices` `(goods,)`, a `guess` at inputs `(edges,)`, activity `levels`
    `(levels,)` as they were last, the rule's `memory`.
    """

    prices: Array
    guess: Array
    levels: Array
    memory: tuple[Array, ...]


class GradientPath:
    """Prices that descend a reference function, one step a tick. The market is never asked: what moves the path is the
    function's own derivative.

    In a small economy it goes in plain floats, as the market does. Where there is nothing to descend prices are no
    numbers.
    """

    kind: ClassVar = "dual"

    def __init__(
        self,
        economy: Economy,
        reference: Reference,
        rule: PriceRule,
        initial_prices: Array,
        levels: Array | None = None,
    ) -> None:
        self.rule, self.tick, prices = rule, 0, np.array(initial_prices, dtype=float)
        levels = first_levels(economy) if levels is None else levels
        self._state = _State(prices, economy.first_guess(), levels, rule.start(prices=prices))
        self.change_economy(economy, reference)

    def change_economy(self, economy: Economy, reference: Reference) -> None:
        """Go on from here by the function of another economy (after a shock)."""
        self.reference = reference
        self._state = in_arrays(self._state)._replace(guess=economy.first_guess())
        slopes = reference.by_slopes or self.rule.needs_jacobian
        self._in_floats = InFloats(self._following) if economy.small(slopes=slopes) else None

    def move(self, moved: Callable[[Array], Array]) -> None:
        """Go on from prices that are moved by a function of them."""
        state = in_arrays(self._state)
        self._state = state._replace(prices=moved(state.prices))

    def advance(self, tick: int) -> Array:
        """Descend up to `tick` and return the prices there, `(goods,)`; not a number once the path has left all
        bounds.
        """
        if self.reference.kind == "none":
            self.tick = tick
            return np.full(len(self._state.prices), np.nan)
        while self.tick < tick:
            self._state, self.tick = self._next(), self.tick + 1
        return np.asarray(self._state.prices)

    def _next(self) -> _State:
        state = self._state
        # The first step is not worth a text.
        if self._in_floats is not None and self.tick:
            after = self._in_floats(state if isinstance(state.prices, tuple) else plain(state))
            if after is not None:
                return after
        state = in_arrays(state)
        with np.errstate(all="ignore"):
            return self._following(state) if self.tick else self._descended(state)

    def _following(self, state: _State) -> _State:
        """The state after the levels have climbed, and then the prices descended."""
        return self._descended(state._replace(levels=_raised(self.reference.economy, state.prices, state.levels)))

    def _descended(self, state: _State) -> _State:
        prices, guess, levels, memory = state
        descent = self.reference.descent(prices, guess, self.rule.needs_jacobian, levels=levels, value=False)
        inputs = descent.plans.inputs
        guess = np.where(np.isfinite(inputs), inputs, guess)
        signal, unit = self._at_observed_prices(state._replace(guess=guess)) or (descent.signal, descent.unit)
        bounds = self.reference.economy.bounds
        prices, memory = self.rule.next_prices(prices, signal, unit, memory, descent.jacobian, bounds)
        return _State(prices, guess, levels, memory)

    def _at_observed_prices(self, state: _State) -> tuple[Array, Array] | None:
        """The signal and its scale, `(goods,)` each, of every market at the prices that it has heard of; None where all
        go by the present ones.
        """
        rows = self.rule.observed_prices(state.prices, state.memory)
        if rows is None:
            return None
        by_market = [self.reference.descent(row, state.guess, levels=state.levels, value=False) for row in rows]
        signal, unit = (np.stack([getattr(each, what) for each in by_market]) for what in ("signal", "unit"))
        return np.diag(signal), np.diag(unit)

    def state(self) -> dict[str, Array]:
        """Where the path is, as arrays."""
        prices, guess, levels, memory = self._state
        known = {"tick": self.tick, "prices": prices, "guess": guess, "levels": levels}
        known |= {f"memory{i}": memo for i, memo in enumerate(memory)}
        return {name: np.asarray(value) for name, value in known.items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state`."""
        self.tick = int(state["tick"])
        memory = tuple(state[f"memory{i}"] for i in range(len(self._state.memory)))
        self._state = _State(state["prices"], state["guess"], state["levels"], memory)


def _raised(economy: Economy, prices: Array, levels: Array) -> Array:
    """Activity levels `(levels,)` after a step along unit profits at `prices` `(goods,)`, the derivative of the saddle,
    by the dual unit cost.
    """
    faced, after = (
        zip(economy.firms, economy.level_rows, economy.user_prices.of_firms(prices), strict=True),
        [levels[:0]],
    )
    for firm, rows, (price, input_prices) in faced:
        if firm.levels:
            cost, unit = asked(firm.technology, "unit_cost")(np.stack(input_prices))
            after.append(behaviour_of(firm).raised(levels[rows], price * unit.output, cost))
    return np.concatenate(after)
