"""Kinds from outside are tried before a run: each is asked once for what the run will ask of it.

Whatever goes wrong in their code is said with its place in the scenario.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.kinds.distributions import Array
from simulator.kinds.draws import DrawError, Reader

if TYPE_CHECKING:
    from simulator.dynamics.pieces import Piece, Quote
    from simulator.economics.economy import Economy
    from simulator.economics.taste import Taste
    from simulator.economics.technology import Technology


class KindError(DrawError):
    """A kind from outside that refuses its parameters, or answers what it may not."""


def utility(kind: Any, read: Reader) -> Taste:
    """A utility, which has been asked for everybody's best bundle at some prices and incomes, and what it is worth."""
    made: Taste = _answer(read.path, lambda: kind.build(read))
    goods = len(read.goods)
    rows = _answer(read.path, lambda: made.size)
    prices, income = 1.0 + np.arange(goods) / 8.0, np.ones(rows)
    bundle = _array(read.path, "demand(prices, income)", lambda: made.demand(prices, income), (rows, goods))
    _array(read.path, "utility(quantities, paid)", lambda: made.utility(bundle, income), (rows,))
    spent = (bundle * prices).sum(axis=1)
    if not (bundle >= 0.0).all():
        raise KindError(read.path, f"found a demand of {float(bundle.min()):.6g}; expected quantities of at least 0")
    if made.needs_income and not (spent <= income * (1.0 + 1e-9)).all():
        found = f"found a demand that costs {float(spent.max()):.6g} at an income of 1"
        raise KindError(read.path, f"{found}; expected a bundle that can be paid for")
    return made


def technology(kind: Any, read: Reader) -> Technology:
    """A technology, which has been asked for its plan at prices of 1: the best response, or of constant returns that of
    a level of 1, and what a unit costs.
    """
    made: Technology = _answer(read.path, lambda: kind.build(read))
    if read.count > 1 or not hasattr(made, "count"):
        # How many firms there are is not among its parameters, and it may be frozen.
        object.__setattr__(made, "count", read.count)
    goods = len(read.goods)
    rows = _answer(read.path, lambda: made.size)
    level, prices = np.ones(rows), np.ones(goods)
    if _answer(read.path, lambda: made.constant_returns):
        what, planned = "the plan at_level(1)", _answer(read.path, lambda: made.at_level(level, prices.tolist()))
        _array(read.path, "the cost of unit_cost(prices)", lambda: made.unit_cost(prices)[0], (rows,))
        _array(read.path, "cost_slope(prices, level)", lambda: made.cost_slope(prices, level), (rows, goods, goods))
    else:
        what, first = "the best response", np.ones((rows, goods))
        planned = _answer(read.path, lambda: made.best_response(1.0, prices.tolist(), first))
    _array(read.path, f"{what}'s inputs", lambda: planned.inputs, (rows, goods))
    _array(read.path, f"{what}'s output", lambda: planned.output, (rows,))
    return made


def piece(made: Piece, path: str, goods: int, multiplicative: bool) -> None:
    """A piece of a price rule is asked for its memory, and for a step on a quiet quote and on a lively one.

    `first_tick` looks at what it answers to the first real one.
    """
    from simulator.dynamics.pieces import Quote

    prices, free = 1.0 + np.arange(goods) / 8.0, np.ones(goods, dtype=bool)
    lively = np.where(np.arange(goods) % 2 == 0, 0.5, -0.25)
    jacobian = -np.eye(goods)
    memory = _answer(path, lambda: (made.start(goods), made.information))[0]
    for tick, signal in enumerate((np.zeros(goods), lively)):
        quote = Quote(
            prices,
            signal,
            np.ones(goods),
            jacobian,
            np.ones(goods),
            multiplicative,
            1e-12 * prices,
            None,
            free,
            tick,
            0.1,
        )
        memory = Watched(made, path).step(0.1 * signal, quote, memory)[1]


@dataclass(frozen=True)
class Watched:
    """A piece of a price rule whose steps are looked at, and else as it is; `path` is its place in the scenario."""

    made: Piece
    path: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.made, name)

    def step(self, step: Array, quote: Quote, memory: Any) -> tuple[Array, Any]:
        """What the piece answers. Raises KindError where that is no step of finite numbers and a memory as before."""
        name, path = type(self.made).__name__, self.path
        answer = _answer(path, lambda: self.made.step(step, quote, memory))
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise KindError(path, f"found a {type(answer).__name__} for {name}.step(...); expected a step and a memory")
        for what, found, like in zip(("the step", "the memory"), answer, (step, memory), strict=True):
            _array(path, f"{what} of {name}.step(...)", lambda found=found: found, np.shape(like))
        return answer


def first_tick(scheduler: Any, economy: Economy, prices: Array, seed: int, outside: Mapping[str, type[Any]]) -> None:
    """Carry out the first tick of a scheduler, if its price rule has pieces from `outside`, and look at their steps."""
    pieces = [
        Watched(piece, f"scheduler.with.{place}") if isinstance(piece, tuple(outside.values())) else piece
        for place, piece in enumerate(scheduler.rule.pieces)
    ]
    if any(isinstance(piece, Watched) for piece in pieces):
        watched = replace(scheduler, rule=replace(scheduler.rule, pieces=tuple(pieces)))
        watched.step(economy, watched.start(economy, prices, seed))


def _answer(path: str, ask: Callable[[], Any]) -> Any:
    """What is answered; whatever goes wrong in code from outside is said with its place."""
    try:
        with np.errstate(all="ignore"):
            return ask()
    except DrawError:
        raise
    except Exception as error:
        said = " ".join(str(error).split()) or "no reason given"
        raise KindError(path, f"refused by its own code: {type(error).__name__}: {said}") from error


def _array(path: str, what: str, ask: Callable[[], Any], expected: tuple[int, ...]) -> Array:
    """An answer that is an array of numbers of the shape expected."""
    answer = _answer(path, ask)
    if not isinstance(answer, np.ndarray):
        raise KindError(path, f"found a {type(answer).__name__} for {what}; expected an array of shape {expected}")
    if answer.shape != expected:
        raise KindError(path, f"found an array of shape {answer.shape} for {what}; expected {expected}")
    if answer.dtype.kind not in "fiu":
        raise KindError(path, f"found an array of {answer.dtype} for {what}; expected one of numbers")
    if not np.isfinite(answer).all():
        raise KindError(path, f"found {answer[~np.isfinite(answer)][0]} in {what}; expected finite numbers")
    return answer
