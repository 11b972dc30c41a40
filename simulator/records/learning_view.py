"""What is recorded of a market that learns: prices as weights, unfilled orders as errors, designs of hidden firms.

In agents.csv an order has a row for its bundle under each contract: `quantity` is what stays unfilled, `input` what is
ordered, `output` what is supplied, `pays` what the bundle costs. A hidden firm has a row for each thing its good is
designed of, with its share in the design as `input`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.learning_tick import LearningState, LearningTick, TrainingSet
from simulator.dynamics.transition import Transition
from simulator.economics.bundles import Sellers, binary
from simulator.economics.forms import Array
from simulator.records.columns import LEARNING_TICKS, Known, growing_columns
from simulator.records.recorder import Rows, View
from simulator.records.table import names
from simulator.sentences import LEARNING, Facts

if TYPE_CHECKING:
    from simulator.dynamics.verdicts import Verdict


MOST_DOTS = 500
"""Of so many patterns at most a summary says where they lie."""
SAMPLES = 24
"""So many held-out patterns are described."""
FINE = 41
"""Points along each side of the square over which supply is described."""
ROUNDING = 1e-9
"""Supply that differs by less than this does not decide."""
NOBODY = -1
"""In the place of a contract, where none is supplied more than all others."""
MOST_ORDERS = 1000
"""More patterns than this have no rows of their own in agents.csv."""


class Learner(Protocol):
    """A market that learns, as far as its record depends on it."""

    @property
    def training(self) -> TrainingSet: ...

    @property
    def sellers(self) -> Sellers: ...

    def answers(self, tick: LearningTick, inputs: Array) -> tuple[Array, Array]: ...

    def everything(self, tick: LearningTick) -> tuple[Array, Array]: ...


class LearningNote(NamedTuple):
    """A tick, and what bundles of all patterns pay and how much of them is supplied, `(patterns, contracts)` each;
    likewise of those held out.
    """

    tick: LearningTick
    paid: Array
    supplied: Array
    test_paid: Array
    test_supplied: Array


class LearningView(View[LearningState, LearningTick, LearningNote]):
    """The view of a market that learns prices of `goods`, of which `free_goods` `(goods,)` may move."""

    columns, sentences = growing_columns(*LEARNING_TICKS), LEARNING

    def __init__(self, market: Learner, goods: tuple[str, ...], free_goods: NDArray[np.bool_]) -> None:
        self.market, self.training, self.goods, self.free_goods = market, market.training, goods, free_goods
        nothing = np.zeros(self.training.test_orders.shape)
        self._untested = None if len(nothing) else (nothing, nothing)

    def note(self, now: Transition[LearningState, LearningTick], *, record: bool) -> LearningNote | None:
        if not record:
            return None
        tested = self._untested or self.market.answers(now.tick, self.training.test_inputs)
        return LearningNote(now.tick, *self.market.everything(now.tick), *tested)

    def rows(self, notes: Sequence[LearningNote]) -> dict[str, Callable[[], Rows]]:
        ticks = np.array([note.tick.tick for note in notes], dtype=np.int64)
        return {
            "trajectory": lambda: Rows(ticks, {"good": names(self.goods)}, self._trajectory(notes)),
            "ticks": lambda: Rows(ticks, {}, self._ticks(notes)),
            "agents": lambda: Rows(ticks, *self._agents(notes)),
        }

    def _trajectory(self, notes: Sequence[LearningNote]) -> Known:
        fields = ("prices", "demand", "supply")
        prices, demand, supply = (np.array([getattr(note.tick, name) for note in notes]) for name in fields)
        known = {"price": prices, "demand": demand, "supply": supply, "excess_demand": demand - supply}
        return known | {"traded": np.minimum(demand, supply), "inventory": np.zeros(prices.shape)}

    def _ticks(self, notes: Sequence[LearningNote]) -> Known:
        sellers, training = self.market.sellers, self.training
        orders, test_orders = training.orders, training.test_orders
        known = {
            "max_relative_excess_demand": [np.abs(orders - note.supplied).max() for note in notes],
            "potential": [sellers.surplus(note.paid).sum() - (orders * note.paid).sum() for note in notes],
            "loss": [sellers.loss(note.paid, orders) for note in notes],
            "accuracy": [_accuracy(orders, note.paid, note.supplied) for note in notes],
            "test_accuracy": [_accuracy(test_orders, note.test_paid, note.test_supplied) for note in notes],
        }
        return {name: np.array(values) for name, values in known.items()}

    def _agents(self, notes: Sequence[LearningNote]) -> tuple[dict[str, NDArray[Any]], Known]:
        """Orders, unless there are too many, by bundle and contract; then hidden firms by what they design of."""
        training, ticks = self.training, len(notes)
        orders = training.orders if len(training.orders) <= MOST_ORDERS else training.orders[:0]
        who, made_of = self._designers()
        designs = [np.concatenate([*(design.ravel() for design in note.tick.designs), np.zeros(0)]) for note in notes]
        ordered = np.tile(orders.ravel(), (ticks, 1))
        paid = np.array([note.paid[: len(orders)].ravel() for note in notes])
        supplied = np.array([note.supplied[: len(orders)].ravel() for note in notes])
        empty = np.full((ticks, len(who)), np.nan)
        known = {
            "quantity": np.concatenate([ordered - supplied, empty], axis=1),
            "input": np.concatenate([ordered, np.array(designs)], axis=1),
            "output": np.concatenate([supplied, empty], axis=1),
            "pays": np.concatenate([paid, empty], axis=1),
        }
        labels = [f"order_{place + 1}" for place in range(len(orders)) for _ in training.contracts]
        bundles = [contract or "bundle" for contract in training.contracts] * len(orders)
        keys = {
            "agent": names([*labels, *who]),
            "kind": names([*["order"] * len(bundles), *["firm"] * len(who)]),
            "good": names([*bundles, *made_of]),
        }
        return keys, known

    def facts(self, verdict: Verdict, now: Transition[LearningState, LearningTick], last: Mapping[str, float]) -> Facts:
        supplied = self.market.everything(now.tick)[1]
        tied = float(np.mean(_tied(self.training.orders, supplied))) if np.isfinite(supplied).all() else np.nan
        return {**last, "tied": tied}

    def summary(self, now: Transition[LearningState, LearningTick]) -> dict[str, Any]:
        """What was learnt: `separable`, `surface` and `test`, see `records.columns`."""
        tick = now.tick
        return {"test": self.test(tick), "surface": self.surface(tick), "separable": self.training.separable}

    def surface(self, tick: LearningTick) -> dict[str, Any] | None:
        """What would be supplied of bundles all over the square of two inputs, as plain data; None of other inputs, and
        where the square leaves the range of numbers.

        `inputs` and `sides` of the square; `contracts`; `supplied`, row by row of the second input, or under several
        contracts the number of the one supplied most, None where that is no longer finite; where one contract's orders
        are 0 or 1 the `margin`, what is paid beyond what brings half a unit. How many patterns there are, `count`; of
        at most `MOST_DOTS`, evenly chosen, where they lie, `patterns`, and how much is ordered, or which contract.
        """
        training = self.training
        if training.inputs.shape[1] != 2:
            return None
        low, high = training.inputs.min(axis=0), training.inputs.max(axis=0)
        with np.errstate(all="ignore"):
            room = 0.35 * np.where(high > low, high - low, 1.0)
            sides = [np.linspace(a, b, FINE) for a, b in zip(low - room, high + room, strict=True)]
        if not np.isfinite(sides).all():
            return None
        paid, supplied = self.market.answers(tick, np.stack([side.ravel() for side in np.meshgrid(*sides)], axis=1))
        several = len(training.contracts) > 1
        with np.errstate(all="ignore"):
            margin = np.round(paid[:, 0] - self.market.sellers.half, 6)
            shown = supplied.argmax(axis=1) if several else np.round(supplied[:, 0], 6)
        finite = all(np.isfinite(part).all() for part in (paid, margin, shown))
        whether = finite and not several and binary(training.orders)
        count = len(training.orders)
        some = np.unique(np.linspace(0, count - 1, min(count, MOST_DOTS)).astype(int))
        orders = training.orders[some]
        return {
            "inputs": list(training.input_names),
            "sides": [side.tolist() for side in sides],
            "contracts": list(training.contracts),
            "supplied": shown.reshape(FINE, FINE).tolist() if finite else None,
            "margin": margin.reshape(FINE, FINE).tolist() if whether else None,
            "count": count,
            "patterns": training.inputs[some].tolist(),
            "orders": (orders.argmax(axis=1) if several else orders[:, 0]).tolist(),
        }

    def test(self, tick: LearningTick) -> dict[str, Any] | None:
        """How patterns that are held out are decided, as plain data; None where none are or there is one contract.

        `confusion` counts them by the contract ordered and the one supplied most, `undecided` those without such a
        one; `samples` are some of them, those not decided right first, with what is in the bundle, what is ordered and
        what is supplied most, or none.
        """
        training = self.training
        if not len(training.test_inputs) or len(training.contracts) == 1 or not tick.finite:
            return None
        paid, supplied = self.market.answers(tick, training.test_inputs)
        if not np.isfinite(paid).all():
            return None
        ordered, decided = training.test_orders.argmax(axis=1), _decided(supplied)
        known = decided != NOBODY
        confusion = np.zeros((len(training.contracts),) * 2, dtype=int)
        np.add.at(confusion, (ordered[known], decided[known]), 1)
        some = np.argsort(ordered == decided, kind="stable")[:SAMPLES]
        contracts = np.array([*training.contracts, "none"])
        samples = zip(training.test_inputs[some], contracts[ordered[some]], contracts[decided[some]], strict=True)
        return {
            "contracts": list(training.contracts),
            "confusion": confusion.tolist(),
            "undecided": int(np.count_nonzero(~known)),
            "samples": [[bundle.tolist(), str(wanted), str(got)] for bundle, wanted, got in samples],
        }

    def _designers(self) -> tuple[list[str], list[str]]:
        """For each entry of all designs the firm, and what below it the entry is of."""
        training = self.training
        who, made_of = list[str](), list[str]()
        below = list(training.input_names)
        for level, layer in enumerate(training.layers):
            top = level == len(training.layers) - 1
            firms = [
                f"firm_{place + 1}" if top else f"layer_{level + 1}_firm_{place + 1}" for place in range(layer.firms)
            ]
            who += [firm for firm in firms for _ in range(len(below) + 1)]
            made_of += [*below, "constant"] * len(firms)
            below = firms
        return who, made_of


def _accuracy(orders: Array, paid: Array, supplied: Array) -> float:
    """The part of patterns decided right; not a number where there are none, or what they pay is none."""
    if not len(orders) or not np.isfinite(paid).all():
        return np.nan
    if orders.shape[1] > 1:
        return float(np.mean(_decided(supplied) == np.argmax(orders, axis=1)))
    return float(np.mean(np.abs(supplied - orders) < 0.5 - ROUNDING))


def _tied(orders: Array, supplied: Array) -> NDArray[np.bool_]:
    """Which patterns `(patterns,)` are decided neither way: supply is as far from the order as from its opposite, or
    several contracts are supplied most, to rounding.
    """
    if orders.shape[1] > 1:
        return _decided(supplied) == NOBODY
    return np.abs(np.abs(supplied - orders)[:, 0] - 0.5) <= ROUNDING


def _decided(supplied: Array) -> NDArray[np.intp]:
    """The contract supplied most of each pattern `(patterns,)`, `NOBODY` where several are."""
    second, first = np.partition(supplied, -2, axis=1)[:, -2:].T
    return np.where(first - second > ROUNDING, supplied.argmax(axis=1), NOBODY)
