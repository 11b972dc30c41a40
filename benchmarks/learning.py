"""How fast a market learns: `python -m benchmarks.learning` (needs scikit-learn, for its handwritten digits).

Samples per second of the digits market against the same network in plain NumPy, with the same batches in the same
order: both must come to the same prices and designs. Then its accuracy on unseen digits over five splits, beside
scikit-learn's classifier of the same shape and a market without hidden firms.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulator.run import market_of as model_of
from simulator.scenario import load
from simulator.schedulers.model import MarketModel

SCENARIO = Path(__file__).parents[1] / "scenarios" / "extras" / "digits.yaml"
ROUNDS = 15
EPOCHS = 4
SPLITS = 5

Array = NDArray[np.float64]


def market_of(seed: int, *, hidden: bool = True) -> MarketModel:
    """The market of the scenario with another seed (another split, other designs to begin with), or without firms."""
    scenario = load(SCENARIO, settings={"run.seed": seed})
    if not hidden:
        data = scenario.resolved
        del data["learning"]["hidden"], data["goods"]
        scenario = load(data)
    return model_of(scenario)


def plain(market: MarketModel, ticks: int, orders: list[NDArray[np.intp]]) -> tuple[Array, Array]:
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


def seconds(market: MarketModel, ticks: int) -> float:
    """How long the market takes."""
    begun = time.perf_counter()
    for _ in range(ticks):
        market.step()
    return time.perf_counter() - begun


def speed() -> None:
    """Print the ratio of samples per second."""
    market, orders = market_of(0), list[NDArray[np.intp]]()
    training = market.scheduler.training
    ticks, patterns = EPOCHS * training.ticks_a_round, EPOCHS * len(training.inputs)
    for _ in range(ticks):
        market.step()
        orders.append(market.last_tick.patterns)
    weights, design = plain(market_of(0), ticks, orders)
    gap = max(
        float(np.abs(market.state.prices.reshape(-1, len(weights)).T - weights).max()),
        float(np.abs(market.state.designs[0] - design).max()),
    )
    print(f"prices and designs after {ticks} batches agree with plain NumPy to {gap:.1e}")
    ours, theirs = [], []
    for _ in range(ROUNDS):
        fresh = market_of(0)
        ours.append(seconds(fresh, ticks))
        begun = time.perf_counter()
        plain(fresh, ticks, orders)
        theirs.append(time.perf_counter() - begun)
    market_rate, plain_rate = (patterns / statistics.median(times) for times in (ours, theirs))
    print(f"market {market_rate:,.0f} samples a second, plain NumPy {plain_rate:,.0f}: {market_rate / plain_rate:.2f}")


def accuracy() -> None:
    """Print how many unseen digits are decided right, over several splits."""
    from sklearn.neural_network import MLPClassifier

    rows: list[tuple[float, float, float]] = []
    for seed in range(SPLITS):
        scores: list[float] = []
        lesson = market_of(seed).scheduler.training
        for hidden in (True, False):
            market = market_of(seed, hidden=hidden)
            seconds(market, 60 * lesson.ticks_a_round)
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


def main() -> None:
    """Measure and print."""
    speed()
    accuracy()


if __name__ == "__main__":
    sys.exit(main())
