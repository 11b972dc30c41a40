"""Bundles of goods, orders for them and the sellers who fill them: the parts of a market that learns.

Pattern `k` is a bundle: so much of each good. Units of it are ordered, `y_k` (the target), and its sellers supply
`S(p.e_k)`, more when the bundle pays more (the output); `q_k = y_k - S(p.e_k)` orders stay unfilled (the error). Excess
demand for a good is what unfilled orders contain of it, `z_i = sum_k q_k e_ki`, and minus the gradient of

    V(p) = sum_k [Phi(p.e_k) - y_k p.e_k],     Phi' = S.

With several contracts each has a price of its own for every good, and orders of its own. Hidden firms make the goods:
firm `j` of a layer puts `h_kj = phi(w_j.e_k)` of its good into bundle `k`, by its design `w_j` of what lies below.

Source: the perceptron (Rosenblatt 1958; Novikoff 1962), the delta rule (Widrow, Hoff 1960), backprop (Rumelhart,
Hinton, Williams 1986), said of markets.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from simulator.economics.means import Array


class Sellers(ABC):
    """Who fills orders. Under one contract, half a unit is supplied of a bundle that pays `half`, or as much of those
    that pay just less and just more.
    """

    meaning: ClassVar[str]
    half: ClassVar[float] = 0.0

    @abstractmethod
    def supply(self, paid: Array) -> Array:
        """What is supplied of bundles that pay so much, `(patterns, contracts)` both."""

    @abstractmethod
    def surplus(self, paid: Array) -> Array:
        """The integral of supply, `(patterns,)`."""

    def loss(self, paid: Array, orders: Array) -> float:
        """What buyers mind of orders `(patterns, contracts)` at those prices, a mean over patterns: the squares of what
        stays unfilled.
        """
        return float(np.mean((orders - self.supply(paid)) ** 2))


class Linear(Sellers):
    """`S(a) = a`: marginal cost rises as supply does. Orders met exactly are the delta rule's least squares."""

    meaning: ClassVar = "S = p.e: a bundle is supplied in proportion to what it pays (delta rule)"
    half: ClassVar = 0.5

    def supply(self, paid: Array) -> Array:
        return paid

    def surplus(self, paid: Array) -> Array:
        return 0.5 * (paid**2).sum(axis=1)


class AllOrNothing(Sellers):
    """`S(a) = 1` where `a > 0`, else 0: one unit is supplied if it pays at all. The perceptron's rule."""

    meaning: ClassVar = "S = 1 if p.e > 0, else 0: one unit of a bundle that pays at all (perceptron rule)"

    def supply(self, paid: Array) -> Array:
        return (paid > 0).astype(float)

    def surplus(self, paid: Array) -> Array:
        return np.maximum(paid, 0.0).sum(axis=1)


class Logit(Sellers):
    """`S_c = exp(a_c) / sum exp(a)`: a unit goes to the contracts by logit choice. With one contract the other choice
    is not to sell, at 0. Loss is the mean of `-sum y ln S`, the cross-entropy.
    """

    meaning: ClassVar = "S = exp(p.e) / sum exp(p.e): sellers choose among contracts by logit (softmax)"

    def supply(self, paid: Array) -> Array:
        offers = _with_none(paid)
        weights = np.exp(offers - offers.max(axis=1, keepdims=True))
        return (weights / weights.sum(axis=1, keepdims=True))[:, : paid.shape[1]]

    def surplus(self, paid: Array) -> Array:
        return np.logaddexp.reduce(_with_none(paid), axis=1)

    def loss(self, paid: Array, orders: Array) -> float:
        return float(np.mean(self.surplus(paid) - (orders * paid).sum(axis=1)))


def _with_none(paid: Array) -> Array:
    return paid if paid.shape[1] > 1 else np.concatenate([paid, np.zeros(paid.shape)], axis=1)


SELLERS: dict[str, Sellers] = {"linear": Linear(), "all_or_nothing": AllOrNothing(), "logit": Logit()}


class Activation(NamedTuple):
    """`phi(a)`, and its derivative as a function of `a` and `phi(a)`."""

    value: Callable[[Array], Array]
    slope: Callable[[Array, Array], Array]
    meaning: str


def _sigmoid(a: Array) -> Array:
    return 0.5 * (1.0 + np.tanh(0.5 * a))


ACTIVATIONS: dict[str, Activation] = {
    "tanh": Activation(np.tanh, lambda a, h: 1.0 - h * h, "h = tanh(w.e), between -1 and 1"),
    "relu": Activation(
        lambda a: np.maximum(a, 0.0),
        lambda a, h: (a > 0).astype(float),
        "h = max(0, w.e), nothing by a design that does not fit",
    ),
    "sigmoid": Activation(_sigmoid, lambda a, h: h * (1.0 - h), "h = 1 / (1 + exp(-w.e)), between 0 and 1"),
}
"""How much of its good a hidden firm puts into a bundle, by its design."""


@dataclass(frozen=True)
class Layer:
    """Hidden firms that design their goods of the same things: how many, how (`activation`), and how fast (`rate`)."""

    firms: int
    activation: str
    rate: float


class Contents(NamedTuple):
    """What bundles hold on every level: `goods`, from inputs up to what is priced, `(patterns, goods + 1)` each with a
    constant good last; and `pulls` `w.e` of every layer `(patterns, firms)`.
    """

    goods: list[Array]
    pulls: list[Array]

    @property
    def priced(self) -> Array:
        """The goods that are bought and sold, `(patterns, goods)`."""
        return self.goods[-1]


def contents(inputs: Array, designs: Sequence[Array], layers: Sequence[Layer]) -> Contents:
    """What is in bundles of `inputs` `(patterns, inputs)` if firms make their goods by `designs`, `(firms, goods
    below)` a layer.
    """
    goods, pulls = [with_constant(inputs)], list[Array]()
    for design, layer in zip(designs, layers, strict=True):
        pull = goods[-1] @ design.T
        pulls.append(pull)
        goods.append(with_constant(ACTIVATIONS[layer.activation].value(pull)))
    return Contents(goods, pulls)


def redesigns(held: Contents, designs: Sequence[Array], layers: Sequence[Layer], worth: Array) -> list[Array]:
    """How each firm would change its design to raise the revenue on unfilled orders, `(firms, goods below)` a layer.

    `worth` `(patterns, goods)` is what a unit more of each priced good in a bundle would bring there: its prices times
    the orders that stay unfilled. A firm takes prices and unfilled orders as given, so that the change is marginal
    revenue, `dw_j = sum_k worth_kj phi'(w_j.e_k) e_k`; what a firm below would earn is what its buyers would.
    """
    changes: list[Array] = []
    for level in range(len(designs) - 1, -1, -1):
        slope = ACTIVATIONS[layers[level].activation].slope
        made = held.goods[level + 1][:, :-1]
        marginal = worth[:, :-1] * slope(held.pulls[level], made)
        changes.append(marginal.T @ held.goods[level])
        if level:
            worth = marginal @ designs[level]
    return changes[::-1]


def with_constant(goods: Array) -> Array:
    """Bundles with one unit of a constant good in each, `(patterns, goods + 1)`."""
    return np.concatenate([goods, np.ones((len(goods), 1))], axis=1)


def binary(orders: Array) -> bool:
    """Whether of every bundle a unit is ordered, or nothing."""
    return set(np.unique(orders).tolist()) <= {0.0, 1.0}


def separable(inputs: Array, orders: Array) -> bool | None:
    """Whether some prices supply exactly what is ordered, all or nothing: `(2y - 1) p.e >= 1` has a solution.

    `inputs` `(patterns, inputs)`, `orders` `(patterns,)` of 0 or 1. A linear programme (Mangasarian 1965); None where
    its solver cannot tell. With a constant good neither the unit nor the zero of an input matters: each is put between
    -1 and 1.
    """
    from scipy.optimize import linprog

    low, high = 0.5 * inputs.min(axis=0), 0.5 * inputs.max(axis=0)
    places = (inputs - (low + high)) / np.where(high > low, high - low, 1.0)
    signed = (2.0 * orders - 1.0)[:, None] * with_constant(places)
    count = signed.shape[1]
    found = linprog(np.zeros(count), A_ub=-signed, b_ub=-np.ones(len(signed)), bounds=[(None, None)] * count)
    if found.status == _INFEASIBLE:
        return False
    return True if found.status == 0 and (signed @ found.x > 0.0).all() else None


_INFEASIBLE = 2
"""What scipy calls a linear programme without a solution."""
