"""What a consumer wants: how much it spends at an income, and on what.

Every utility here spends an amount `spending(m)` of money and splits it as a form of degree one does. A homothetic
consumer spends all it has; a quasi-linear one compares goods with money and stops where money is worth more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from simulator.economics.forms import Array, CobbDouglas, Form


class Utility(Protocol):
    """A cohort's tastes; arrays are `(agents, goods)`, prices `(goods,)`, incomes `(agents,)`."""

    @property
    def form(self) -> Form:
        """The form of degree one that splits the spending."""
        ...

    @property
    def needs_income(self) -> bool:
        """Whether the consumer can only spend what it earns (a quasi-linear one may have an unlimited purse)."""
        ...

    def spending(self, income: Array) -> Array:
        """Money spent at an income, `(agents,)`."""
        ...

    def spends_more(self, income: Array) -> Array:
        """`d spending / d income`, `(agents,)`."""
        ...

    def demand(self, prices: Array, income: Array) -> Array:
        """The best affordable bundle, `(agents, goods)`."""
        ...

    def utility(self, quantities: Array, paid: Array) -> Array:
        """Utility of a bundle for which `paid` was given in money, `(agents,)`."""
        ...


@dataclass(frozen=True)
class Homothetic:
    """`u(x)` of degree one (Cobb-Douglas, CES, Leontief): all income is spent, in shares that depend on prices."""

    form: Form
    needs_income = True

    def spending(self, income: Array) -> Array:
        return income

    def spends_more(self, income: Array) -> Array:
        return np.ones(len(income))

    def demand(self, prices: Array, income: Array) -> Array:
        return self.form.demand(prices, income)

    def utility(self, quantities: Array, paid: Array) -> Array:
        return self.form.value(quantities)


@dataclass(frozen=True)
class QuasiLinear:
    """`u(x) + money` with `u(x) = sum_i w_i ln x_i`: spends `min(sum w, income)`, on good i the fraction `w_i / sum w`.

    Its inverse demand is `u_i = w_i / x_i`. With an unlimited purse (income infinite) demand is `w_i / p_i`.
    Reported utility is `sum w_i ln x_i` less what was paid.
    """

    weights: Array
    form: CobbDouglas = field(init=False)
    needs_income = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", np.asarray(self.weights, dtype=float))
        object.__setattr__(self, "form", CobbDouglas(self.weights))

    def spending(self, income: Array) -> Array:
        return np.minimum(self.weights.sum(axis=-1), income)

    def spends_more(self, income: Array) -> Array:
        return np.where(income < self.weights.sum(axis=-1), 1.0, 0.0)

    def demand(self, prices: Array, income: Array) -> Array:
        return self.form.demand(prices, self.spending(income))

    def utility(self, quantities: Array, paid: Array) -> Array:
        with np.errstate(divide="ignore"):
            logs = np.log(np.where(self.form.wanted, quantities, 1.0))
        return np.sum(self.weights * logs, axis=-1) - paid
