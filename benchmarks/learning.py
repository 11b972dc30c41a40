"""The digits market beside the same network in plain NumPy (needs scikit-learn, for its handwritten digits).

Both see the same batches in the same order and must come to the same prices and designs.
`python -m benchmarks.learning` prints how many unseen digits are decided right over five splits, beside scikit-learn's
classifier of the same shape and a market without hidden firms.
"""

from __future__ import annotations

import statistics
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Columns, Group, Groups, Line, Side
from simulator.scenario import load
from simulator.schedulers.market import Market

SCENARIO = Path(__file__).parents[1] / "scenarios" / "extras" / "digits.yaml"
SPLITS = 5

Array = NDArray[np.float64]


def market_of(seed: int, *, hidden: bool = True) -> Market:
    """The market of the scenario with another seed (another split, other designs to begin with), or without firms."""
    scenario = load(SCENARIO, settings={"run.seed": seed})
    if not hidden:
        data = scenario.resolved
        del data["learning"]["hidden"], data["goods"]
        scenario = load(data)
    return scenario.market()


def plain(market: Market, ticks: int, orders: list[NDArray[np.intp]]) -> tuple[Array, Array]:
    """The same network in NumPy, written straight down: prices `(firms + 1, contracts)` and designs in the end."""
    lesson, rate = market.scheduler.training, market.scheduler.rule.rate
    (layer,), (design,) = lesson.layers, lesson.designs
    inputs = np.concatenate([lesson.inputs, np.ones((len(lesson.inputs), 1))], axis=1)
    weights = np.zeros((layer.firms + 1, len(lesson.contracts)))
    for tick in range(ticks):
        batch = orders[tick]
        below, wanted = inputs[batch], lesson.orders[batch]
        hidden = np.tanh(below @ design.T)
        priced = np.concatenate([hidden, np.ones((len(batch), 1))], axis=1)
        paid = priced @ weights
        output = np.exp(paid - paid.max(axis=1, keepdims=True))
        output /= output.sum(axis=1, keepdims=True)
        error = wanted - output
        back = (error @ weights[:-1].T) * (1.0 - hidden**2)
        weights = weights + rate * (priced.T @ error)
        design = design + layer.rate * (back.T @ below)
    return weights, design


def trained(market: Market, ticks: int) -> Market:
    """The market after so many ticks."""
    for _ in range(ticks):
        market.advance()
    return market


@cache
def batches(ticks: int) -> list[NDArray[np.intp]]:
    """Which patterns each of so many ticks shows the market."""
    market, orders = market_of(0), list[NDArray[np.intp]]()
    for _ in range(ticks):
        market.advance()
        orders.append(market.last_tick.patterns)
    return orders


def learning(ticks: int) -> Group:
    """A tick of the market, against a step of the network."""

    def learnt(market: Market) -> Columns:
        prices = market.state.prices.reshape(len(market.scheduler.training.contracts), -1)
        return {"prices": prices.T, "designs": market.state.designs[0]}

    def numbers(both: tuple[Array, Array]) -> Columns:
        return {"prices": both[0], "designs": both[1]}

    sides = {
        "market": Side(lambda: partial(trained, market_of(0), ticks), learnt, ticks),
        "NumPy": Side(lambda: partial(plain, market_of(0), ticks, batches(ticks)), numbers, ticks),
    }
    line = Line("digits", "a batch learnt by a market, against the network in NumPy", "market", "NumPy", at_most=3)
    return Group(sides, [line], needs=("sklearn",))


def groups(*, quick: bool) -> Groups:
    """All of this file; `quick` is small, to compare answers."""
    return {"learning": partial(learning, 20 if quick else 400)}


def main() -> None:
    """Print how many unseen digits are decided right, over several splits."""
    from sklearn.neural_network import MLPClassifier

    rows: list[tuple[float, float, float]] = []
    for seed in range(SPLITS):
        scores: list[float] = []
        lesson = market_of(seed).scheduler.training
        for hidden in (True, False):
            market = market_of(seed, hidden=hidden)
            trained(market, 60 * lesson.ticks_a_round)
            wanted = lesson.test_orders.argmax(axis=1)
            scores.append(
                float(
                    np.mean(market.scheduler.answers(market.last_tick, lesson.test_inputs)[0].argmax(axis=1) == wanted)
                )
            )
        network = MLPClassifier((48,), activation="tanh", max_iter=1000, random_state=seed)
        network.fit(lesson.inputs, lesson.orders.argmax(axis=1))
        rows.append((*scores, float(network.score(lesson.test_inputs, lesson.test_orders.argmax(axis=1)))))
    hidden, linear, network = (statistics.mean(column) for column in zip(*rows, strict=True))
    print(f"unseen digits decided right, mean of {SPLITS} splits: market with 48 hidden firms {hidden:.4f}, ", end="")
    print(f"linear market {linear:.4f}, scikit-learn's classifier of the same shape {network:.4f}")


if __name__ == "__main__":
    main()
