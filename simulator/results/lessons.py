"""What is recorded of a market that learns: prices as weights, unfilled orders as errors, designs of hidden firms.

In agents.csv an order has a row for its bundle under each contract: `quantity` is what stays unfilled, `input` what is
ordered, `output` what is supplied, `pays` what the bundle costs. A hidden firm has a row for each thing its good is
designed of, with its share in the design as `input`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.dynamics.learning import LearningMarket, Session
from simulator.economics.bundles import binary
from simulator.economics.forms import Array
from simulator.results.block import BlockWitness
from simulator.results.columns import AGENTS, LEARNING_TICKS, TICKS, TRAJECTORY, USERS, WEDGES
from simulator.results.table import Table, names

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


class Recorded(NamedTuple):
    """A tick, and what bundles of all patterns pay and how much of them is supplied, `(patterns, contracts)` each;
    likewise of those held out.
    """

    now: Session
    paid: Array
    supplied: Array
    test_paid: Array
    test_supplied: Array


class LearningWitness(BlockWitness[Recorded]):
    """Keeps the ticks of a market that learns and turns them into tables."""

    def __init__(self, market: LearningMarket) -> None:
        lesson = market.lesson
        designs = sum(design.size for design in lesson.designs)
        super().__init__(len(market.prices) + designs + 4 * lesson.orders.size)
        self.market = market
        self.free_goods = ~market.rule.fixed
        nothing = np.zeros(lesson.test_orders.shape)
        self._untested = None if len(nothing) else (nothing, nothing)

    @property
    def tick(self) -> int:
        return self.market.tick

    def note(self) -> Recorded:
        market = self.market
        tested = self._untested or market.answers(market.lesson.test_inputs)
        return Recorded(market.now, *market.everything(), *tested)

    def learnt(self) -> dict[str, Any]:
        """What the summary says of what was learnt: `separable`, `surface` and `test`, see `results.columns`."""
        return {"test": self.test(), "surface": self.surface(), "separable": self.market.lesson.separable}

    def surface(self) -> dict[str, Any] | None:
        """What would be supplied of bundles all over the square of two inputs, as plain data; None of other inputs.

        `inputs` and `sides` of the square; `contracts`; `supplied`, row by row of the second input, or under several
        contracts the number of the one supplied most, None where that is no longer finite; where one contract's orders
        are 0 or 1 the `margin`, what is paid beyond what brings half a unit. How many patterns there are, `count`; of
        at most `MOST_DOTS`, evenly chosen, where they lie, `patterns`, and how much is ordered, or which contract.
        """
        lesson = self.market.lesson
        if lesson.inputs.shape[1] != 2:
            return None
        low, high = lesson.inputs.min(axis=0), lesson.inputs.max(axis=0)
        room = 0.35 * np.where(high > low, high - low, 1.0)
        sides = [np.linspace(a, b, FINE) for a, b in zip(low - room, high + room, strict=True)]
        paid, supplied = self.market.answers(np.stack([side.ravel() for side in np.meshgrid(*sides)], axis=1))
        finite, several = bool(np.isfinite(paid).all()), len(lesson.contracts) > 1
        whether = finite and not several and binary(lesson.orders)
        margin = np.round(paid[:, 0] - self.market.sellers.kind.half, 6)
        shown = supplied.argmax(axis=1) if several else np.round(supplied[:, 0], 6)
        count = len(lesson.orders)
        some = np.unique(np.linspace(0, count - 1, min(count, MOST_DOTS)).astype(int))
        orders = lesson.orders[some]
        return {
            "inputs": list(lesson.input_names),
            "sides": [side.tolist() for side in sides],
            "contracts": list(lesson.contracts),
            "supplied": shown.reshape(FINE, FINE).tolist() if finite else None,
            "margin": margin.reshape(FINE, FINE).tolist() if whether else None,
            "count": count,
            "patterns": lesson.inputs[some].tolist(),
            "orders": (orders.argmax(axis=1) if several else orders[:, 0]).tolist(),
        }

    def test(self) -> dict[str, Any] | None:
        """How patterns that are held out are decided, as plain data; None where none are or there is one contract.

        `confusion` counts them by the contract ordered and the one supplied most, `undecided` those without such a
        one; `samples` are some of them, those not decided right first, with what is in the bundle, what is ordered and
        what is supplied most, or none.
        """
        lesson = self.market.lesson
        if not len(lesson.test_inputs) or len(lesson.contracts) == 1 or not self.market.now.finite:
            return None
        paid, supplied = self.market.answers(lesson.test_inputs)
        if not np.isfinite(paid).all():
            return None
        ordered, decided = lesson.test_orders.argmax(axis=1), _decided(supplied)
        known = decided != NOBODY
        confusion = np.zeros((len(lesson.contracts),) * 2, dtype=int)
        np.add.at(confusion, (ordered[known], decided[known]), 1)
        some = np.argsort(ordered == decided, kind="stable")[:SAMPLES]
        contracts = np.array([*lesson.contracts, "none"])
        samples = zip(lesson.test_inputs[some], contracts[ordered[some]], contracts[decided[some]], strict=True)
        return {
            "contracts": list(lesson.contracts),
            "confusion": confusion.tolist(),
            "undecided": int(np.count_nonzero(~known)),
            "samples": [[bundle.tolist(), str(wanted), str(got)] for bundle, wanted, got in samples],
        }

    def tables(self) -> dict[str, Table]:
        """The tables of all ticks recorded since the last call: trajectory, ticks, agents, wedges (none)."""
        recorded = self.taken()
        if not recorded:
            return {}
        numbers = np.array([note.now.tick for note in recorded], dtype=np.int64)
        none = np.zeros(0)
        keys = {"tick": none.astype(np.int64), "firm": none.astype(str), "input": none.astype(str)}
        with np.errstate(all="ignore"):
            return {
                "trajectory": self._trajectory(numbers, recorded),
                "ticks": self._ticks(numbers, recorded),
                "agents": self._agents(numbers, recorded),
                "wedges": Table(keys, tuple(WEDGES), np.zeros((0, len(WEDGES)))),
            }

    def _trajectory(self, numbers: NDArray[np.int64], recorded: list[Recorded]) -> Table:
        goods = names(self.market.economy.goods)
        prices, demand, supply = (
            np.array([getattr(note.now, name) for note in recorded]) for name in ("prices", "demand", "supply")
        )
        zero, empty = np.zeros(prices.shape), np.full(prices.shape, np.nan)
        known = {"price": prices, "demand": demand, "supply": supply, "excess_demand": demand - supply}
        known |= {"traded": np.minimum(demand, supply), "inventory": zero}
        values = [known.get(name, empty) for name in TRAJECTORY]
        keys = {"tick": np.repeat(numbers, len(goods)), "good": np.tile(goods, len(numbers))}
        return Table(keys, tuple(TRAJECTORY), np.stack(values, axis=-1).reshape(-1, len(TRAJECTORY)))

    def _ticks(self, numbers: NDArray[np.int64], recorded: list[Recorded]) -> Table:
        columns = (*TICKS, *LEARNING_TICKS)
        values = np.full((len(recorded), len(columns)), np.nan)
        for row, note in enumerate(recorded):
            known = self._judged(note)
            values[row] = [known.get(name, np.nan) for name in columns]
        return Table({"tick": numbers}, columns, values)

    def _judged(self, note: Recorded) -> dict[str, float]:
        lesson = self.market.lesson
        sellers, orders = self.market.sellers.kind, lesson.orders
        potential = sellers.surplus(note.paid).sum() - (orders * note.paid).sum()
        return {
            "max_relative_excess_demand": float(np.abs(orders - note.supplied).max()),
            "potential": float(potential),
            "loss": sellers.loss(note.paid, orders),
            "accuracy": _accuracy(orders, note.paid, note.supplied),
            "test_accuracy": _accuracy(lesson.test_orders, note.test_paid, note.test_supplied),
        }

    def _agents(self, numbers: NDArray[np.int64], recorded: list[Recorded]) -> Table:
        lesson, columns = self.market.lesson, (*AGENTS, *USERS)
        told = len(lesson.orders) <= MOST_ORDERS
        count = lesson.orders.size if told else 0
        who, made_of = self._designers()
        values = np.full((len(recorded), count + len(who), len(columns)), np.nan)
        for row, note in enumerate(recorded):
            if told:
                values[row, :count, 0] = (lesson.orders - note.supplied).ravel()
                values[row, :count, 1], values[row, :count, 2] = lesson.orders.ravel(), note.supplied.ravel()
                values[row, :count, columns.index("pays")] = note.paid.ravel()
            values[row, count:, 1] = np.concatenate([*(design.ravel() for design in note.now.designs), np.zeros(0)])
        orders = [f"order_{place + 1}" for place in range(len(lesson.orders) if told else 0)]
        agent = names([*(order for order in orders for _ in lesson.contracts), *who])
        bundles = [contract or "bundle" for contract in lesson.contracts] * len(orders)
        kind = names([*["order"] * count, *["firm"] * len(who)])
        keys: dict[str, Any] = {
            "tick": np.repeat(numbers, len(agent)),
            "agent": np.tile(agent, len(recorded)),
            "kind": np.tile(kind, len(recorded)),
            "good": np.tile(names([*bundles, *made_of]), len(recorded)),
        }
        return Table(keys, columns, values.reshape(-1, len(columns)))

    def _designers(self) -> tuple[list[str], list[str]]:
        """For each entry of all designs the firm, and what below it the entry is of."""
        lesson = self.market.lesson
        who, made_of = list[str](), list[str]()
        below = list(lesson.input_names)
        for level, layer in enumerate(lesson.layers):
            top = level == len(lesson.layers) - 1
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


def _decided(supplied: Array) -> NDArray[np.intp]:
    """The contract supplied most of each pattern `(patterns,)`, `NOBODY` where several are."""
    second, first = np.partition(supplied, -2, axis=1)[:, -2:].T
    return np.where(first - second > ROUNDING, supplied.argmax(axis=1), NOBODY)
